/** What every answer carries, and which routes are open to whom: all of it from the table of routes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Secret } from '../../src/setting-values.ts'
import { startService } from '../service.ts'

/** Everything else switches, measures or reveals. */
const PUBLIC = [
  'GET /health',
  'GET /health/live',
  'POST /query',
  'POST /feedback',
  'GET /memory/stats',
  'GET /apm/config',
  'GET /apm/metrics',
  'GET /metrics',
  'GET /costs',
  'GET /page/sample-queries.json'
]

const service = await startService({ FAULTS: 'none' })
const { app } = await service.listen({ guardedRoutesOpen: false, adminToken: new Secret('right') })
const { app: appWithoutToken } = await service.listen({ guardedRoutesOpen: false })
after(service.close)

interface Operation {
  route: string
  method: 'GET' | 'PUT' | 'POST' | 'DELETE'
  url: string
  isGuarded: boolean
}

const operations = listOperations()

function listOperations(): Operation[] {
  const paths = Object.entries(app.swagger().paths ?? {})
  return paths.flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, { security?: unknown[] }>).map(([name, { security }]) => {
      const method = name.toUpperCase() as Operation['method']
      const url = path.replace(/\{\w+\}/g, 'x')
      return { route: `${method} ${path}`, method, url, isGuarded: security !== undefined }
    })
  )
}

async function ask(target: typeof app, { method, url }: Operation, headers: Record<string, string> = {}) {
  // Refused as a body, where it gets so far: no diagnosis is to run.
  const body = method === 'GET' ? {} : { body: { seconds: 0, iterations: 0 } }
  const response = await target.inject({ method, url, headers: { host: 'localhost', ...headers }, ...body })
  return { status: response.statusCode, code: String(response.body).match(/"code":"(\w+)"/)?.[1] }
}

test('a route is public only where it is listed here', () => {
  const isOpen = operations.filter(({ isGuarded }) => !isGuarded).map(({ route }) => route)
  assert.deepEqual(isOpen.toSorted(), PUBLIC.toSorted())
})

test('off loopback each guarded route is 403 without the token or with another one', async () => {
  for (const operation of operations.filter(({ isGuarded }) => isGuarded)) {
    const { route } = operation
    assert.deepEqual(
      await ask(appWithoutToken, operation),
      { status: 403, code: 'ADMIN_TOKEN_NOT_SET' },
      route
    )
    for (const authorization of ['', 'Bearer wrong', 'Basic right', 'Bearer right ']) {
      const expected = { status: 403, code: 'ADMIN_TOKEN_REQUIRED' }
      assert.deepEqual(await ask(app, operation, { authorization }), expected, route)
    }
  }
})

test('with the token none is, and the public ones never are', async () => {
  for (const operation of operations.filter(({ route }) => !route.startsWith('GET /debug/pprof'))) {
    const headers: Record<string, string> = operation.isGuarded ? { authorization: 'Bearer right' } : {}
    const { status } = await ask(app, operation, headers)
    assert.notEqual(status, 403, operation.route)
  }
})

test('every answer carries the security headers, a refusal too', async () => {
  for (const url of ['/health', '/', '/docs', '/openapi.json', '/nowhere', '/faults', '/metrics']) {
    const { headers } = await app.inject({ url, headers: { host: 'localhost' } })
    assert.equal(headers['x-content-type-options'], 'nosniff', url)
    assert.equal(headers['x-frame-options'], 'DENY', url)
    assert.equal(headers['referrer-policy'], 'no-referrer', url)
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /default-src '(none|self)'/, url)
    assert.match(policy, /frame-ancestors 'none'/, url)
    assert.doesNotMatch(policy, /unsafe/, url)
  }
})

test('the documentation may load its own scripts and styles', async () => {
  const docs = await app.inject({ url: '/docs/static/index.html', headers: { host: 'localhost' } })
  assert.match(String(docs.headers['content-security-policy']), /default-src 'self'/)
  assert.doesNotMatch(docs.body, /<script>(?!\s*<)|<style>|\son\w+=/)
})

test('no path of a request reaches a file', async () => {
  const paths = [
    '/page/../package.json',
    '/page/..%2f..%2f.env',
    '/docs/static/..%2f..%2fpackage.json',
    '/page/%00'
  ]
  for (const url of paths) {
    const { statusCode } = await app.inject({ url, headers: { host: 'localhost' } })
    assert([400, 404].includes(statusCode), `${url}: ${statusCode}`)
  }
})
