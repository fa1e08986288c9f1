/**
 * The service's spans in a real Jaeger, as Jaeger's own query API shows them. JAEGER_QUERY_URL is its address,
 * OTEL_EXPORTER_OTLP_ENDPOINT the one where it takes OTLP over HTTP.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'
import { type AnswerBody, sendJson } from '../service.ts'
import { type JaegerTrace, pathsOf, queryJaeger, serviceOf, tagsOf, untilTrace } from './jaeger-api.ts'

const jaegerUrl = process.env.JAEGER_QUERY_URL ?? ''
assert.ok(jaegerUrl, 'set JAEGER_QUERY_URL to the query address of a Jaeger')
assert.ok(process.env.OTEL_EXPORTER_OTLP_ENDPOINT, 'set OTEL_EXPORTER_OTLP_ENDPOINT to its OTLP address')

const SERVICE = 'compliance-copilot-rag'
const MODEL_SERVICE = 'openai-simulator'
const QUESTION = 'What are the data retention rules?'
const FORCE_SAMPLE = { 'x-force-sample': '1' }
/** At 10 % all of them are sampled, or none, less than once in a billion runs. */
const QUERIES = 200

let service: RunningService

before(async () => {
  // The service that is started gets this process's environment.
  Object.assign(process.env, { SAMPLING_RATE: '0.1', FAULTS: 'none', SIMULATED_LATENCY_SCALE: '0' })
  service = await findOrStartService({
    url: undefined,
    // Nobody listens there: the service is always an own one.
    defaultUrl: 'http://127.0.0.1:1',
    onProgress: () => {}
  })
})

after(() => service?.stop())

async function ask(headers: Record<string, string> = {}): Promise<AnswerBody> {
  const { status, body } = await sendJson(`${service.url}/query`, 'POST', { query: QUESTION }, headers)
  assert.equal(status, 200)
  return body
}

/** Both processes have sent their outermost span, which is their last. */
function hasBothServices(trace: JaegerTrace): boolean {
  const roots = trace.spans.map((span) => `${serviceOf(trace, span)}: ${span.operationName}`)
  return (
    roots.includes(`${SERVICE}: POST /query`) && roots.includes(`${MODEL_SERVICE}: POST /v1/chat/completions`)
  )
}

test("the answer's trace_id is in Jaeger, as one tree of both services", async () => {
  // The first query of a process connects to the database, which is a span of its own.
  await ask()
  const answer = await ask(FORCE_SAMPLE)
  assert.equal(answer.sampled, true)
  const trace = await untilTrace(jaegerUrl, answer.trace_id, hasBothServices)
  const server = `${SERVICE}: POST /query`
  assert.deepEqual(pathsOf(trace).toSorted(), [
    server,
    `${server} > openai.generate`,
    `${server} > openai.generate > POST`,
    `${server} > rag.cache`,
    `${server} > rag.rerank`,
    `${server} > rag.retrieve`,
    `${server} > rag.retrieve > pg-pool.connect`,
    `${server} > rag.retrieve > pg.query:SELECT postgres`,
    `${server.replace(SERVICE, MODEL_SERVICE)} > openai.generate > POST > POST /v1/chat/completions`
  ])
})

test('the spans carry what the readiness checks and a search look for', async () => {
  const answer = await ask(FORCE_SAMPLE)
  const trace = await untilTrace(jaegerUrl, answer.trace_id, hasBothServices)
  const generate = tagsOf(trace, 'openai.generate')
  const { model, prompt_tokens, completion_tokens, cost_usd } = answer.usage
  assert.equal(generate['llm.model'], model)
  assert.equal(generate['gen_ai.request.model'], model)
  assert.equal(generate['llm.prompt_tokens'], prompt_tokens)
  assert.equal(generate['llm.completion_tokens'], completion_tokens)
  assert.equal(generate.cost_usd, cost_usd)
  assert.equal(tagsOf(trace, 'rag.retrieve')['rag.documents'], answer.num_results)
  assert.ok(Number(tagsOf(trace, 'rag.rerank')['rag.candidates']) > 0)
  assert.match(String(tagsOf(trace, 'pg.query:SELECT postgres')['db.query.text']), /^\s*(SELECT|WITH)/)
})

test('a search by user, by tenant and by duration finds the trace, and leaves others out', async () => {
  const user = `user-${process.pid}`
  const tenant = `tenant-${process.pid}`
  const answer = await ask({ ...FORCE_SAMPLE, 'x-user-id': user, 'x-tenant-id': tenant })
  const other = await ask(FORCE_SAMPLE)
  const trace = await untilTrace(jaegerUrl, answer.trace_id, hasBothServices)
  await untilTrace(jaegerUrl, other.trace_id, hasBothServices)
  const root = trace.spans.find(({ operationName }) => operationName === 'POST /query')
  assert.ok(root)
  const found = { has: [answer.trace_id], hasNot: [other.trace_id] }
  await assertSearch({ tags: JSON.stringify({ 'user.id': user }) }, found)
  await assertSearch({ tags: JSON.stringify({ 'tenant.id': tenant }) }, found)
  // Jaeger keeps nanoseconds, and rounds what it shows.
  const { duration } = root
  await assertSearch(
    { minDuration: `${duration - 1}us`, maxDuration: `${duration + 1}us` },
    { has: found.has }
  )
  await assertSearch({ minDuration: `${duration + 1}us` }, { hasNot: found.has })
})

async function assertSearch(
  terms: Record<string, string>,
  { has = [], hasNot = [] }: { has?: string[]; hasNot?: string[] }
): Promise<void> {
  const search = { service: SERVICE, operation: 'POST /query', lookback: '1h', limit: '1000', ...terms }
  const path = `/api/traces?${new URLSearchParams(search)}`
  const traceIds = (await queryJaeger<JaegerTrace[]>(jaegerUrl, path))?.map(({ traceID }) => traceID) ?? []
  for (const traceId of has) assert.ok(traceIds.includes(traceId), path)
  for (const traceId of hasNot) assert.ok(!traceIds.includes(traceId), path)
}

test('Jaeger lists both services, and the call from one to the other', async () => {
  const { trace_id } = await ask(FORCE_SAMPLE)
  await untilTrace(jaegerUrl, trace_id, hasBothServices)
  const services = await queryJaeger<string[]>(jaegerUrl, '/api/services')
  assert.deepEqual(services?.filter((name) => [SERVICE, MODEL_SERVICE].includes(name)).toSorted(), [
    SERVICE,
    MODEL_SERVICE
  ])
  const calls = await queryJaeger<{ parent: string; child: string }[]>(
    jaegerUrl,
    `/api/dependencies?endTs=${Date.now()}&lookback=3600000`
  )
  assert.ok(calls?.some(({ parent, child }) => parent === SERVICE && child === MODEL_SERVICE))
})

test('at 10 % the sampled traces arrive whole, and no other does', async () => {
  const answers: AnswerBody[] = []
  while (answers.length < QUERIES) answers.push(await ask())
  const sampled = answers.filter((answer) => answer.sampled)
  assert.ok(sampled.length > 0 && sampled.length < QUERIES, `${sampled.length} of ${QUERIES} sampled`)
  // It sends what it still holds before it ends; nothing can come after that.
  await service.stop()
  for (const { trace_id } of sampled) {
    const trace = await untilTrace(jaegerUrl, trace_id, hasBothServices)
    assert.deepEqual(
      pathsOf(trace).filter((path) => !/: POST \/query( |$)/.test(path)),
      []
    )
  }
  for (const { trace_id, sampled } of answers) {
    if (!sampled) assert.equal(await queryJaeger(jaegerUrl, `/api/traces/${trace_id}`), undefined, trace_id)
  }
})
