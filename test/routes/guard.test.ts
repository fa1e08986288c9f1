import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Secret } from '../../src/setting-values.ts'
import { startService } from '../service.ts'

const service = await startService({ FAULTS: 'none' })
const { app: home } = await service.listen()
const { app: away } = await service.listen({ guardedRoutesOpen: false, adminToken: new Secret('right') })
const { app: awayWithoutToken } = await service.listen({ guardedRoutesOpen: false })
after(service.close)

type App = typeof home

async function ask(
  app: App,
  method: 'GET' | 'PUT' | 'POST' | 'DELETE',
  url: string,
  headers: Record<string, string> = {}
) {
  const body = method === 'GET' ? {} : { body: { enabled: false } }
  const response = await app.inject({ method, url, headers: { host: 'localhost:8000', ...headers }, ...body })
  const { code } = response.json() as { code?: string }
  return [response.statusCode, code]
}

const guarded = [
  ['GET', '/faults'],
  ['PUT', '/faults'],
  ['PUT', '/faults/quadratic-chunk-filter'],
  ['POST', '/diagnosis'],
  ['GET', '/debug/pprof/profile'],
  ['GET', '/debug/pprof/heap'],
  ['GET', '/debug/heap-flame-graph'],
  ['DELETE', '/memory/document-cache'],
  ['GET', '/traces'],
  ['GET', `/traces/${'0'.repeat(32)}`]
] as const

test('away from a loopback host the guarded routes need the token', async () => {
  for (const [method, url] of guarded) {
    assert.deepEqual(await ask(awayWithoutToken, method, url), [403, 'ADMIN_TOKEN_NOT_SET'], url)
    for (const authorization of ['', 'Bearer wrong', 'Bearer ', 'Basic right', 'right', 'Bearer right2']) {
      assert.deepEqual(await ask(away, method, url, { authorization }), [403, 'ADMIN_TOKEN_REQUIRED'], url)
    }
  }
  assert.deepEqual(await ask(away, 'GET', '/faults', { authorization: 'Bearer right' }), [200, undefined])
  assert.deepEqual(await ask(away, 'GET', '/faults', { authorization: 'bearer right' }), [200, undefined])
})

test('on a loopback host they are open, and the others are open everywhere', async () => {
  assert.deepEqual(await ask(home, 'GET', '/faults'), [200, undefined])
  assert.deepEqual(await ask(home, 'PUT', '/faults'), [200, undefined])
  for (const url of ['/health', '/health/live', '/apm/config', '/apm/metrics', '/openapi.json']) {
    assert.deepEqual(await ask(awayWithoutToken, 'GET', url), [200, undefined], url)
  }
})

test('only the allowed host names are answered, except about health', async () => {
  for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:8000', '[::1]:8000']) {
    assert.deepEqual(await ask(home, 'GET', '/faults', { host }), [200, undefined], host)
  }
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', 'a b']) {
    assert.deepEqual(await ask(home, 'GET', '/faults', { host }), [421, 'HOST_NOT_ALLOWED'], host)
    assert.deepEqual(await ask(home, 'GET', '/health', { host }), [200, undefined], host)
  }
  const { app: anywhere } = await service.listen({ allowedHosts: ['*'] })
  assert.deepEqual(await ask(anywhere, 'GET', '/apm/config', { host: 'copilot.example' }), [200, undefined])
})

test('pages of other origins get neither the guarded routes nor anything that changes something', async () => {
  const foreign = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'http://localhost:3000' },
    { origin: 'null' }
  ]
  for (const headers of foreign) {
    assert.deepEqual(await ask(home, 'GET', '/faults', headers), [403, 'CROSS_SITE'])
    assert.deepEqual(await ask(home, 'PUT', '/faults', headers), [403, 'CROSS_SITE'])
    assert.deepEqual(await ask(home, 'POST', '/query', headers), [403, 'CROSS_SITE'])
    assert.deepEqual(await ask(home, 'GET', '/apm/config', headers), [200, undefined])
  }
  const own = [
    { 'sec-fetch-site': 'same-origin', origin: 'http://localhost:8000' },
    { 'sec-fetch-site': 'none' }
  ]
  for (const headers of own) assert.deepEqual(await ask(home, 'GET', '/faults', headers), [200, undefined])
})
