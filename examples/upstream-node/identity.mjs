// Verifies the assertion of who is asking, which Gatehouse sends in X-Auth-Assertion.
//
// It needs Node 18 and nothing else: copy this file. It fails closed: whatever is not exactly what the
// edge writes, or cannot be verified, is an error and no identity.

import { createHash, createPublicKey, verify } from 'node:crypto'
import { readFile } from 'node:fs/promises'

const leeway = 5 // seconds that the clocks may differ
const maxToken = 16 * 1024
const maxKeySet = 64 * 1024
const fetchTimeout = 2_000 // ms
const refetchAfter = 10_000 // ms between two fetches, whatever assertions come
const firstAfter = 1_000 // the same as long as no fetch has succeeded
const staleAfter = 60_000 // ms until a key that the edge withdrew is forgotten

// The assertion proves nothing: malformed, forged, expired, or meant for another service. Answer 401.
export class InvalidAssertion extends Error {}

// The assertion cannot be judged for want of the edge's keys. Answer 503.
export class KeysUnavailable extends Error {}

// verifier returns a function that takes an assertion and promises the identity in it.
export function verifier({ issuer, audience, keys, now = Date.now }) {
  if (!issuer || !audience || !keys) throw new Error('issuer, audience and keys are all needed')

  return async function verifyAssertion(token) {
    const { keyID, signed, payload, signature } = split(token)
    const key = await keys(keyID)
    if (!verify(null, signed, key, signature)) throw new InvalidAssertion('its signature is wrong')

    // From here on it is what the edge wrote.
    const claims = JSON.parse(payload)
    if (claims.iss !== issuer) throw new InvalidAssertion('it is from another issuer')
    if (claims.aud !== audience) throw new InvalidAssertion('it is for another audience')
    const seconds = now() / 1000
    if (!Number.isSafeInteger(claims.iat) || claims.iat > seconds + leeway) throw new InvalidAssertion('it is from the future')
    if (!Number.isSafeInteger(claims.exp) || seconds >= claims.exp + leeway) throw new InvalidAssertion('it has expired')
    if (typeof claims.sub !== 'string' || claims.sub === '') throw new InvalidAssertion('it has no subject')
    return claims
  }
}

// The header is compared as text: it has no other form, so nothing of it needs to be interpreted.
const header = /^\{"alg":"EdDSA","kid":"([\w-]{43})","typ":"gh-id\+jwt"\}$/

function split(token) {
  if (typeof token !== 'string' || token.length > maxToken) throw new InvalidAssertion('it is no text, or too long')
  const parts = token.split('.')
  if (parts.length !== 3) throw new InvalidAssertion('it has not three parts')
  const [head, payload, signature] = parts.map(decode)
  const keyID = header.exec(head.toString('latin1'))?.[1]
  if (!keyID) throw new InvalidAssertion('its header is not the edge\'s')
  return { keyID, payload, signature, signed: Buffer.from(`${parts[0]}.${parts[1]}`, 'latin1') }
}

// decode takes base64url in its one canonical form, so that no assertion has a second spelling.
function decode(part) {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.length === 0 || bytes.toString('base64url') !== part) throw new InvalidAssertion('a part of it is not base64url')
  return bytes
}

// keySet returns a function that promises the edge's key of an id. The origin is what jwks_path of
// assert_identity serves: its URL, or the path of a copy. The set that was last read stays in use
// when it cannot be read again.
export function keySet(origin, { now = Date.now } = {}) {
  let keys = new Map()
  let readAt = -Infinity
  let triedAt = -Infinity
  let failure = null
  let reading = null

  function refresh() {
    if (reading || now() - triedAt < (keys.size ? refetchAfter : firstAfter)) return reading
    triedAt = now()
    reading = read(origin).then(
      (set) => { keys = set; readAt = triedAt; failure = null },
      (error) => { failure = error },
    ).finally(() => { reading = null })
    return reading
  }

  return async function publicKey(id) {
    if (now() - readAt > staleAfter) refresh()
    if (!keys.has(id)) await refresh()
    const key = keys.get(id)
    if (key) return key
    if (failure) throw new KeysUnavailable(`${origin}: ${failure.message}`, { cause: failure })
    throw new InvalidAssertion('its key is unknown')
  }
}

async function read(origin) {
  const text = /^https?:\/\//.test(origin) ? await fetchText(origin) : await readFile(origin, 'utf8')
  const keys = new Map()
  for (const jwk of JSON.parse(text).keys) {
    if (jwk.kty !== 'OKP' || jwk.crv !== 'Ed25519' || (jwk.use ?? 'sig') !== 'sig') continue
    // A key is known by its thumbprint (RFC 7638), so that a set cannot pass one off as another.
    const id = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${jwk.x}"}`).digest('base64url')
    keys.set(id, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: jwk.x }, format: 'jwk' }))
  }
  if (keys.size === 0) throw new Error('the key set holds no Ed25519 key')
  return keys
}

async function fetchText(url) {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(fetchTimeout) })
  if (response.status !== 200) throw new Error(`the edge answered ${response.status}: is the key set open to this service, without a session?`)
  const chunks = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    if (size > maxKeySet) throw new Error('the key set is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
