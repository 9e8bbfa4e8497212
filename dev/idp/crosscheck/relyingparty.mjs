// A certified relying party goes through everything that a provider offers, and fails where it sees
// a fault. Usage: node relyingparty.mjs ISSUER CLIENT_ID CLIENT_SECRET REDIRECT_URI POST_LOGOUT_URI USER
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'

const [issuer, clientID, clientSecret, redirectURI, postLogoutURI, user] = process.argv.slice(2)

const config = await oidc.discovery(new URL(issuer), clientID, clientSecret, oidc.ClientSecretBasic(clientSecret), {
  execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks], // verify signatures too
})

let cookie = ''
// visit fetches like a browser and returns where it is sent next.
async function visit (url, init = {}) {
  const answer = await fetch(url, { redirect: 'manual', ...init, headers: { ...init.headers, cookie } })
  for (const c of answer.headers.getSetCookie()) cookie = c.split(';')[0]
  await answer.text()
  return { status: answer.status, location: answer.headers.get('location') }
}

async function login (extra = {}) {
  const verifier = oidc.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier: verifier, expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI,
    scope: 'openid profile email offline_access',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    ...extra,
  })
  let next = await visit(url)
  if (next.status === 200) {
    next = await visit(new URL('/login', issuer), {
      method: 'POST', body: new URLSearchParams({ request: url.searchParams.toString(), user }),
    })
  }
  assert.equal(next.status, 303)
  if (extra.max_age !== undefined) checks.maxAge = extra.max_age
  return oidc.authorizationCodeGrant(config, new URL(next.location), checks)
}

const first = await login()
const { sub } = first.claims()
assert.equal(sub, user)
const info = await oidc.fetchUserInfo(config, first.access_token, sub)
assert.equal(info.email_verified, true)
console.log('login, userinfo')

const again = await login({ prompt: 'none' })
assert.equal(again.claims().sid, first.claims().sid)
await assert.rejects(login({ prompt: 'none', acr_values: 'mfa' }), { error: 'login_required' })
const stepped = await login({ max_age: 0, acr_values: 'mfa' })
assert.equal(stepped.claims().acr, 'mfa')
console.log('prompt=none, max_age, acr_values')

const second = await oidc.refreshTokenGrant(config, first.refresh_token)
assert.notEqual(second.refresh_token, first.refresh_token)
await assert.rejects(oidc.refreshTokenGrant(config, first.refresh_token), { error: 'invalid_grant' })
await assert.rejects(oidc.refreshTokenGrant(config, second.refresh_token), { error: 'invalid_grant' })
console.log('refresh, reuse')

const out = await visit(oidc.buildEndSessionUrl(config, { id_token_hint: first.id_token, post_logout_redirect_uri: postLogoutURI, state: 'bye' }))
assert.equal(out.location, `${postLogoutURI}?state=bye`)
await assert.rejects(login({ prompt: 'none' }), { error: 'login_required' })
console.log('logout')
