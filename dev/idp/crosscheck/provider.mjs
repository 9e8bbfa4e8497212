// A certified OpenID provider on 127.0.0.1, told by one line of JSON on standard input:
// {"redirectURI": …, "postLogoutRedirectURI": …, "backchannelLogoutURI": …}.
// It prints its issuer when it listens, and ends when standard input does.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { once } from 'node:events'
import Provider from 'oidc-provider'

const [line] = await once(createInterface(process.stdin), 'line')
const told = JSON.parse(line)

const server = createServer()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`

const client = (id) => ({
  client_id: id,
  client_secret: 'a secret/with+signs',
  redirect_uris: [told.redirectURI],
  post_logout_redirect_uris: [told.postLogoutRedirectURI],
  backchannel_logout_uri: told.backchannelLogoutURI,
  backchannel_logout_session_required: true,
  grant_types: ['authorization_code', 'refresh_token'],
})

const provider = new Provider(issuer, {
  clients: [client('app'), client('api-client')],
  claims: {
    openid: ['sub'],
    profile: ['name', 'groups'],
    email: ['email', 'email_verified'],
  },
  // Claims of scopes go into the ID token too, as most providers have it.
  conformIdTokenClaims: false,
  acrValues: ['pwd', 'mfa'],
  cookies: { keys: ['only for tests'] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `Somebody ${id}`, groups: ['staff'], email: `${id}@example.test`, email_verified: id !== 'nora' }),
  }),
  // A public client aside, every refresh token is good once.
  rotateRefreshToken: true,
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    userinfo: { enabled: true },
    resourceIndicators: {
      enabled: true,
      // The client api-client gets JWT access tokens for a resource, app opaque ones for userinfo.
      defaultResource: (_ctx, c) => (c.clientId === 'api-client' ? 'urn:api' : undefined),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 300 }),
    },
  },
  // Its own fetch refuses addresses of this machine, where the tests are.
  fetch: (url, options) => {
    delete options.dispatcher
    return globalThis.fetch(url, options)
  },
})
provider.on('server_error', (_ctx, err) => console.error(err))
provider.on('backchannel.error', (_ctx, err) => console.error(err))

server.on('request', provider.callback())
console.log(issuer)
process.stdin.on('end', () => process.exit(0))
