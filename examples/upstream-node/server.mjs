// A small service behind the edge that believes nobody but the edge: it verifies the assertion of who
// is asking, and refuses requests that did not come through it.
//
//   /public  everybody, by name if they are signed in
//   /admin   members of the group admins
//   /...     everybody who is signed in

import { createServer } from 'node:http'
import { KeysUnavailable, keySet, verifier } from './identity.mjs'

const env = process.env
const [, host, port] = /^(.*):(\d+)$/.exec(env.ADDRESS ?? '127.0.0.1:3000')

const verifyAssertion = verifier({
  issuer: env.GATEHOUSE_ISSUER ?? 'gatehouse', // the edge's name
  audience: env.GATEHOUSE_AUDIENCE ?? 'upstream-node', // this service's name in assert_identity
  keys: keySet(env.GATEHOUSE_JWKS ?? 'http://127.0.0.1:8080/.well-known/gatehouse-jwks.json'),
})

// identify promises who is asking, null when that is nobody. Two assertions are as bad as a forged one.
async function identify(request) {
  const assertions = request.headersDistinct['x-auth-assertion']
  if (!assertions) return null
  return verifyAssertion(assertions.length === 1 ? assertions[0] : '')
}

async function handle(request) {
  const path = request.url.split('?')[0]
  let who
  try {
    who = await identify(request)
  } catch (error) {
    // The reason is for the operator, under the id that the edge's log has too.
    console.error(`request ${request.headers['x-request-id']} refused: ${error.message}`)
    return error instanceof KeysUnavailable
      ? [503, { error: 'who is asking cannot be verified at the moment' }]
      : [401, { error: 'sign in first' }]
  }
  if (!who && path !== '/public') return [401, { error: 'sign in first' }]
  if (path === '/admin' && !who.groups?.includes('admins')) return [403, { error: 'this is for admins' }]
  return [200, {
    signedIn: who !== null, subject: who?.sub ?? '', email: who?.email ?? '', groups: who?.groups ?? null,
    requestId: request.headers['x-request-id'] ?? '',
  }]
}

const server = createServer(async (request, response) => {
  let status, body
  try {
    [status, body] = await handle(request)
  } catch (error) {
    console.error(error)
    ;[status, body] = [500, { error: 'this should not have happened' }]
  }
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
  response.end(JSON.stringify(body))
})
server.listen(Number(port), host, () => console.error(`listening on ${host}:${port}`))
