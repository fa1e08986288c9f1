import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fastify from 'fastify'
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod'
import { pageRoutes } from '../../src/routes/page.ts'

const app = fastify()
app.setValidatorCompiler(validatorCompiler)
app.setSerializerCompiler(serializerCompiler)
await app.register(pageRoutes)
after(() => app.close())

async function get(url: string, headers: Record<string, string> = {}) {
  return app.inject({ method: 'GET', url, headers })
}

test('the page allows nothing inline but the one style of d3-flame-graph, and nothing from outside', async () => {
  const { statusCode, headers } = await get('/')
  assert.equal(statusCode, 200)
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /^default-src 'self'; style-src 'self' 'sha256-[^']+'; object-src 'none'; /)
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
})

test('every file that the page and its modules name is served', async () => {
  const names = new Set<string>()
  async function follow(url: string): Promise<void> {
    if (names.has(url)) return
    names.add(url)
    const { statusCode, body } = await get(url)
    assert.equal(statusCode, 200, url)
    if (url.includes('d3')) return
    for (const [, path] of body.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)) await follow(String(path))
    for (const [, name] of body.matchAll(/from '\.\/([^']+)'/g)) await follow(`/page/${name}`)
  }
  await follow('/')
  assert.ok(names.size > 20, `${names.size} files`)
})

test('a file that has not changed is not sent again; libraries are kept for good', async () => {
  const first = await get('/page/main.js')
  assert.equal(first.headers['cache-control'], 'no-cache')
  const again = await get('/page/main.js', { 'if-none-match': String(first.headers.etag) })
  assert.equal(again.statusCode, 304)
  assert.equal(again.body, '')
  const [library] = /\/page\/d3-flame-graph-[\d.]+\.js/.exec((await get('/')).body) ?? ['']
  assert.match(String((await get(library)).headers['cache-control']), /immutable/)
})

test('no other file can be had', async () => {
  const urls = [
    '/page/',
    '/page/index.html',
    '/page/../server.ts',
    '/page/..%2fserver.ts',
    '/page/%2e%2e/server.ts',
    '/page/....//package.json',
    '/page/d3-0.0.0.js',
    '//etc/passwd'
  ]
  for (const url of urls) assert.equal((await get(url)).statusCode, 404, url)
})

test('the sample queries are those of the example data', async () => {
  const { queries } = (await get('/page/sample-queries.json')).json() as { queries: string[] }
  assert.equal(queries.length, 12)
  assert.equal(queries[0], 'What are the compliance requirements?')
})
