/** The process as `npm start` runs it: ready, closing, and what is left of it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { descendantsOf, spawnServer, startServer, untilGone } from './server-process.ts'
import { sendJson, startHeldModel, until } from './service.ts'

function ask(url: string) {
  return sendJson(
    `${url}/query`,
    'POST',
    { query: 'What are the data retention rules?' },
    { 'x-force-sample': '1' }
  )
}

/** An OTLP/HTTP backend that keeps the names of the spans it got. */
async function startCollector() {
  const spanNames: string[] = []
  const server = createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as {
      resourceSpans: { scopeSpans: { spans: { name: string }[] }[] }[]
    }
    const scopes = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)
    spanNames.push(...scopes.flatMap(({ spans }) => spans.map(({ name }) => name)))
    response.end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spanNames }
}

test('SIGTERM: the request in flight is answered, its spans are sent, nothing is left, exit code 0', async () => {
  const model = await startHeldModel()
  const collector = await startCollector()
  const { child, url, output } = await startServer({
    OPENAI_BASE_URL: model.baseUrl,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint
  })
  const descendants = descendantsOf(child.pid)
  assert(descendants.length > 0, 'the embedded database has a process')
  const pending = ask(url)
  await model.asked
  child.kill('SIGTERM')
  await until(() => output().stdout.includes('closing'))
  model.release()
  const { status, body } = await pending
  assert.deepEqual([status, body.response], [200, 'the answer'])
  assert.deepEqual(await once(child, 'exit'), [0, null])
  await untilGone(descendants)
  for (const name of ['POST /query', 'rag.retrieve', 'openai.generate'])
    assert(collector.spanNames.includes(name), name)
})

test('Ctrl-C reaches every process of the group: exit code 0, nothing is left', async () => {
  const { child, url } = await startServer()
  assert.equal((await ask(url)).status, 200)
  const descendants = descendantsOf(child.pid)
  assert.equal(descendants.length, 2, 'the embedded database and the simulated model')
  process.kill(-(child.pid ?? 0), 'SIGINT')
  assert.deepEqual(await once(child, 'exit'), [0, null])
  await untilGone(descendants)
})

test('a second signal exits at once, with a request in flight', async () => {
  const model = await startHeldModel()
  const { child, url, output } = await startServer({ OPENAI_BASE_URL: model.baseUrl })
  const descendants = descendantsOf(child.pid)
  const pending = ask(url).catch(() => 'cut off')
  await model.asked
  child.kill('SIGTERM')
  await until(() => output().stdout.includes('closing'))
  // Twice within half a second counts as once, so it is sent until it is heard.
  await until(() => !child.kill('SIGTERM') || child.exitCode !== null)
  assert.equal(child.exitCode, 143)
  assert.equal(await pending, 'cut off')
  await untilGone(descendants)
})

test('an error that nobody caught is logged and ends the process with exit code 1', async () => {
  const bomb = `data:text/javascript,process.on('SIGUSR2', () => { throw new Error('boom') })`
  const { child, output } = await startServer({}, ['--import', bomb])
  const descendants = descendantsOf(child.pid)
  child.kill('SIGUSR2')
  assert.deepEqual(await once(child, 'exit'), [1, null])
  // What runs meanwhile may log as well, before and after.
  const lines = output().stdout.trim().split('\n')
  const fatal = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 60)
  assert.deepEqual(
    fatal.map(({ err, origin }) => [err.message, origin]),
    [['boom', 'uncaughtException']]
  )
  await untilGone(descendants)
})

test('a port that is taken is said in one line', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { child, output } = spawnServer({ PORT: String(port) })
  const [exitCode] = await once(child, 'exit')
  other.close()
  assert.equal(exitCode, 1)
  assert.match(
    output().stderr,
    new RegExp(`The service could not start\\. Port ${port} is taken: .* set PORT`)
  )
  assert(!output().stderr.includes('    at '))
})

test('with tracing off it answers all the same', async () => {
  const { child, url } = await startServer({ TRACING_ENABLED: 'false' })
  const { status, headers, body } = await ask(url)
  assert.deepEqual([status, body.sampled, headers.get('traceresponse')], [200, false, null])
  assert.match(body.trace_id, /^[0-9a-f-]{36}$/)
  const diagnosis = await sendJson<{ code: string }>(`${url}/diagnosis`, 'POST', { seconds: 1 })
  assert.deepEqual([diagnosis.status, diagnosis.body.code], [409, 'TRACING_OFF'])
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])
})
