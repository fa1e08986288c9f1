import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import { spanRecorder } from '../../src/evidence/span-recorder.ts'
import { createModelClient } from '../../src/model/client.ts'
import {
  exporter,
  isLocalRoot,
  sendJson,
  startHeldModel,
  startService,
  until,
  untilTraceEnded
} from '../service.ts'

const service = await startService({ FAULTS: 'none' })
after(service.close)
const sampler = service.telemetry.sampler
assert(sampler)

const question = 'What are the data retention rules?'

function ask(headers: Record<string, string> = {}, query = question) {
  return sendJson(`${service.url}/query`, 'POST', { query }, headers)
}

/** `name > name > name` of every span, from the server span down, in the order of the spans' end. */
function pathsOf(spans: ReadableSpan[]): string[] {
  const byId = new Map(spans.map((span) => [span.spanContext().spanId, span]))
  function pathOf(span: ReadableSpan): string {
    const parent = byId.get(span.parentSpanContext?.spanId ?? '')
    return parent ? `${pathOf(parent)} > ${span.name}` : span.name
  }
  return spans.map(pathOf)
}

function spanNamed(spans: ReadableSpan[], name: string): ReadableSpan {
  const span = spans.find((each) => each.name === name)
  assert(span, `no span ${name}`)
  return span
}

/** Attributes without those that differ from run to run. */
function stableAttributes(span: ReadableSpan): Record<string, unknown> {
  const unstable = /port$|^user_agent|^url\.full$|namespace|idle|^pyroscope/
  return Object.fromEntries(Object.entries(span.attributes).filter(([name]) => !unstable.test(name)))
}

function parseTraceResponse(headers: Headers) {
  const [version, traceId = '', spanId = '', flags] = (headers.get('traceresponse') ?? '').split('-')
  return { version, traceId, spanId, flags }
}

test('one query leaves exactly this tree of spans', async () => {
  const { body } = await ask({ 'x-tenant-id': 'acme', 'x-user-id': 'ann' })
  const spans = await untilTraceEnded(body.trace_id)
  const connect = spans.some(({ name }) => name === 'pg.connect')
    ? ['POST /query > rag.retrieve > pg-pool.connect > pg.connect']
    : []
  assert.deepEqual(pathsOf(spans).toSorted(), [
    'POST /query',
    'POST /query > openai.generate',
    'POST /query > openai.generate > POST',
    'POST /query > rag.cache',
    'POST /query > rag.rerank',
    'POST /query > rag.retrieve',
    'POST /query > rag.retrieve > pg-pool.connect',
    ...connect,
    'POST /query > rag.retrieve > pg.query:SELECT postgres'
  ])
  const caller = {
    'query.length': question.length,
    'user.id': 'ann',
    user_id: 'ann',
    'tenant.id': 'acme'
  }
  for (const span of spans) assert.equal(span.attributes['pyroscope.profile.id'], span.spanContext().spanId)
  const server = spanNamed(spans, 'POST /query')
  assert.equal(server.kind, SpanKind.SERVER)
  assert.deepEqual(stableAttributes(server), {
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'http.route': '/query',
    'network.protocol.version': '1.1',
    'url.path': '/query',
    'url.scheme': 'http',
    'client.address': '127.0.0.1',
    'network.peer.address': '127.0.0.1',
    'server.address': '127.0.0.1',
    ...caller
  })
  assert.deepEqual(stableAttributes(spanNamed(spans, 'rag.retrieve')), {
    ...caller,
    'rag.documents': body.num_results,
    'rag.candidates': spanNamed(spans, 'rag.rerank').attributes['rag.candidates']
  })
  assert.deepEqual(stableAttributes(spanNamed(spans, 'rag.cache')), {
    ...caller,
    'rag.cache.hit': false,
    'rag.cache.hits': 0,
    'rag.cache.misses': body.num_results
  })
  const { usage } = body
  assert.deepEqual(stableAttributes(spanNamed(spans, 'openai.generate')), {
    ...caller,
    'rag.candidates': spanNamed(spans, 'openai.generate').attributes['rag.candidates'],
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4',
    'gen_ai.response.model': 'gpt-4',
    'llm.model': 'gpt-4',
    'gen_ai.usage.input_tokens': usage.prompt_tokens,
    'llm.prompt_tokens': usage.prompt_tokens,
    'llm.repeated_prompt_tokens': 0,
    'llm.repeated_prompt_cost_usd': 0,
    'gen_ai.usage.output_tokens': usage.completion_tokens,
    'llm.completion_tokens': usage.completion_tokens,
    cost_usd: usage.cost_usd
  })
  const model = spanNamed(spans, 'POST')
  assert.equal(model.kind, SpanKind.CLIENT)
  assert.equal(model.attributes['url.path'], '/v1/chat/completions')
  assert.deepEqual(
    spans.flatMap((span) => span.events),
    []
  )
})

test('each fault that is on leaves one event on the span where it acts', async () => {
  const names = ['n-plus-one-queries', 'quadratic-chunk-filter'] as const
  for (const name of names) service.faults.set(name, true)
  const { body } = await ask()
  for (const name of names) service.faults.set(name, false)
  const spans = await untilTraceEnded(body.trace_id)
  const events = spans.flatMap((span) =>
    span.events.map((event) => [span.name, event.name, event.attributes?.['feature_flag.key']])
  )
  assert.deepEqual(events, [
    ['rag.retrieve', 'feature_flag.evaluation', 'n-plus-one-queries'],
    ['rag.rerank', 'feature_flag.evaluation', 'quadratic-chunk-filter']
  ])
  const selects = spans.filter(({ name }) => name.startsWith('pg.query:SELECT'))
  assert.equal(selects.length, 1 + body.num_results)
})

test('no prompt or answer text stands in a span', async () => {
  const { body } = await ask()
  const spans = await untilTraceEnded(body.trace_id)
  const text = JSON.stringify(spans.map(({ attributes, events }) => [attributes, events]))
  assert(!text.includes(question))
  assert(!text.includes(body.response.slice(0, 40)))
})

test('traceresponse carries the server span, sampled, forced, unsampled, refused or not found', async () => {
  const sampled = await ask()
  const { traceId, spanId, flags } = parseTraceResponse(sampled.headers)
  assert.deepEqual([traceId, flags, sampled.body.sampled], [sampled.body.trace_id, '01', true])
  assert.equal(spanNamed(await untilTraceEnded(traceId), 'POST /query').spanContext().spanId, spanId)

  sampler.rate = 0
  const unsampled = await ask()
  assert.equal(parseTraceResponse(unsampled.headers).traceId, unsampled.body.trace_id)
  assert.equal(parseTraceResponse(unsampled.headers).flags, '00')
  assert.equal(unsampled.body.sampled, false)

  const forced = await ask({ 'x-force-sample': '1' })
  assert.equal(parseTraceResponse(forced.headers).flags, '01')
  assert.equal(forced.body.sampled, true)
  assert.equal(
    spanNamed(await untilTraceEnded(forced.body.trace_id), 'rag.rerank').spanContext().traceFlags,
    1
  )
  assert.equal(parseTraceResponse((await ask({ 'x-force-sample': 'yes' })).headers).flags, '00')

  const refused = await ask({}, '')
  assert.equal(refused.status, 400)
  assert.match(parseTraceResponse(refused.headers).traceId, /^[0-9a-f]{32}$/)
  const missing = await fetch(`${service.url}/nowhere`)
  assert.equal(missing.status, 404)
  assert.match(parseTraceResponse(missing.headers).traceId, /^[0-9a-f]{32}$/)
  sampler.rate = 1
})

test('a GET that only looks is neither traced nor counted; what asks for an answer is', async () => {
  const countBefore = service.telemetry.requestCount.lastHour(Date.now())
  const look = await fetch(`${service.url}/memory/stats`, { headers: { 'x-untraced': '1' } })
  assert.equal(look.headers.get('traceresponse'), null)
  assert.equal(service.telemetry.requestCount.lastHour(Date.now()), countBefore)
  assert.match(parseTraceResponse((await ask({ 'x-untraced': '1' })).headers).traceId, /^[0-9a-f]{32}$/)
})

test("a caller's traceparent is honoured, its decision with it", async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const parentId = '00f067aa0ba902b7'
  sampler.rate = 0
  const sampled = await ask({ traceparent: `00-${traceId}-${parentId}-01` })
  sampler.rate = 1
  assert.deepEqual([sampled.body.trace_id, sampled.body.sampled], [traceId, true])
  const root = (await untilTraceEnded(traceId)).find(isLocalRoot)
  assert.equal(root?.parentSpanContext?.spanId, parentId)

  const otherId = '5bf92f3577b34da6a3ce929d0e0e4736'
  const unsampled = await ask({ traceparent: `00-${otherId}-${parentId}-00` })
  assert.deepEqual([unsampled.body.trace_id, unsampled.body.sampled], [otherId, false])

  for (const traceparent of ['00-0-0-0', `ff-${traceId}-${parentId}-01`, 'x'.repeat(4000)]) {
    const fresh = await ask({ traceparent })
    assert.equal(fresh.status, 200)
    assert.notEqual(fresh.body.trace_id, traceId)
  }
})

test('health checks, the documentation and what lies beneath leave no span', async () => {
  exporter.reset()
  for (const path of ['/health', '/health/live', '/docs', '/openapi.json', '/metrics', '/debug/x', '/']) {
    const response = await fetch(service.url + path)
    await response.text()
    assert.equal(response.headers.get('traceresponse'), null, path)
  }
  const { body } = await ask()
  const traces = new Set((await untilTraceEnded(body.trace_id)).map((span) => span.spanContext().traceId))
  assert.deepEqual([...traces], [body.trace_id])
  assert.deepEqual(
    exporter.getFinishedSpans().filter((span) => span.spanContext().traceId !== body.trace_id),
    []
  )
})

test('secrets in an address and in attributes are redacted', async () => {
  const response = await fetch(`${service.url}/nowhere?api_key=hunter2&page=3&access_token=hunter2`)
  await response.text()
  const spans = await untilTraceEnded(parseTraceResponse(response.headers).traceId)
  assert(!JSON.stringify(spans.map((span) => span.attributes)).includes('hunter2'))
  assert.match(String(spans.find(isLocalRoot)?.attributes['url.query']), /page=3/)
})

test('a failure is on the spans it concerns and hidden from the caller', async () => {
  const broken = createServer((_request, response) => {
    response.writeHead(500)
    response.end('the secret reason')
  })
  await new Promise<void>((resolve) => void broken.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`
  const { url } = await service.listen({}, createModelClient({ baseUrl, model: 'gpt-4', timeoutMs: 5000 }))
  const { status, headers, body } = await sendJson(`${url}/query`, 'POST', { query: question })
  broken.close()

  const { traceId } = parseTraceResponse(headers)
  assert.equal(status, 502)
  assert.deepEqual(body, {
    statusCode: 502,
    code: 'MODEL_ERROR',
    error: 'Bad Gateway',
    message: `The request failed on our side; the log has the cause under trace_id ${traceId}.`
  })
  const spans = await untilTraceEnded(traceId)
  const failed = spans.filter((span) => span.status.code === SpanStatusCode.ERROR).map(({ name }) => name)
  assert.deepEqual(failed.toSorted(), ['POST', 'POST /query', 'openai.generate'])
  for (const name of ['POST /query', 'openai.generate']) {
    const exceptions = spanNamed(spans, name).events.filter((event) => event.name === 'exception')
    assert.equal(exceptions.length, 1, name)
    assert.match(String(exceptions[0]?.attributes?.['exception.message']), /status 500/)
  }
})

test('the span of a caller who leaves ends, and says so', async () => {
  const held = await startHeldModel()
  const { url } = await service.listen(
    {},
    createModelClient({ baseUrl: held.baseUrl, model: 'gpt-4', timeoutMs: 5000 })
  )
  const leaving = new AbortController()
  const gone = fetch(`${url}/query`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      traceparent: '00-6bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    },
    body: JSON.stringify({ query: question }),
    signal: leaving.signal
  })
  await Promise.race([held.asked, gone])
  leaving.abort()
  await assert.rejects(gone, { name: 'AbortError' })
  const root = (await untilTraceEnded('6bf92f3577b34da6a3ce929d0e0e4736')).find(isLocalRoot)
  assert.equal(root?.attributes['http.response.status_code'], 499)
})

test('the model is told the trace of a request that nobody records, and that it is not sampled', async () => {
  sampler.rate = 0
  const held = await startHeldModel()
  const { url } = await service.listen(
    {},
    createModelClient({ baseUrl: held.baseUrl, model: 'gpt-4', timeoutMs: 5000 })
  )
  const pending = sendJson(`${url}/query`, 'POST', { query: question })
  const { traceparent } = await held.asked
  held.release()
  const { spanId } = parseTraceResponse((await pending).headers)
  sampler.rate = 1
  assert.equal(traceparent, `00-${(await pending).body.trace_id}-${spanId}-00`)
})

test('within a request that nobody records no span is even begun, whatever it calls', async (t) => {
  const decide = t.mock.method(sampler, 'shouldSample')
  sampler.rate = 0
  assert.equal((await ask()).status, 200)
  sampler.rate = 1
  assert.deepEqual(
    decide.mock.calls.map(({ arguments: [, , name] }) => name),
    ['POST /query']
  )
})

test('an unsampled request is recorded while a window is open, and not exported', async () => {
  sampler.rate = 0
  spanRecorder.open()
  const { body } = await ask()
  await until(() => spanRecorder.endedSpans.some(({ name }) => name === 'POST /query'))
  const recorded = spanRecorder.close().filter(({ traceId }) => traceId === body.trace_id)
  sampler.rate = 1
  const names = new Set(recorded.map(({ name }) => name))
  for (const name of ['POST /query', 'rag.retrieve', 'rag.rerank', 'openai.generate', 'POST'])
    assert(names.has(name))
  assert.equal(body.sampled, false)
  assert.deepEqual(
    exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === body.trace_id),
    []
  )
})
