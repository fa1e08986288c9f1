/**
 * The whole service with a real Jaeger and Datadog's own test agent at once: one decision, one trace id. Their
 * addresses are JAEGER_QUERY_URL, OTEL_EXPORTER_OTLP_ENDPOINT and DD_TEST_AGENT_URL.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace'
import { type DatadogSpan, traceIdOf } from '../fixtures/datadog/recording-agent.ts'
import { type StartedServer, startServer } from '../server-process.ts'
import { type AnswerBody, sendJson } from '../service.ts'
import { clearAgent, readTraces } from './datadog-test-agent.ts'
import { type JaegerTrace, queryJaeger, serviceOf } from './jaeger-api.ts'

const jaegerUrl = process.env.JAEGER_QUERY_URL ?? ''
const otlpUrl = process.env.OTEL_EXPORTER_OTLP_ENDPOINT ?? ''
const agentUrl = process.env.DD_TEST_AGENT_URL ?? ''
assert.ok(
  jaegerUrl && otlpUrl,
  'set JAEGER_QUERY_URL and OTEL_EXPORTER_OTLP_ENDPOINT to addresses of a Jaeger'
)
assert.ok(agentUrl, "set DD_TEST_AGENT_URL to the address of Datadog's test agent")

const REQUESTS = 2000
const CLIENTS = 8
const RATE = 0.1
const MAX_SHUTDOWN_MS = 5000
const STAGES = ['rag.retrieve', 'rag.cache', 'rag.rerank', 'openai.generate']
const SEEDED = ['--import', new URL('../fixtures/seeded-random.mjs', import.meta.url).href]

/** Nobody else's traces have this service's name. */
async function start(name: string, samplingRate: number): Promise<StartedServer & { service: string }> {
  const service = `${name}-${process.pid}`
  await clearAgent(agentUrl)
  const server = await startServer(
    {
      OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl,
      DD_TRACE_AGENT_URL: agentUrl,
      DD_SERVICE: service,
      SAMPLING_RATE: String(samplingRate),
      // The rate is to stay as it is, whatever all this costs.
      DD_PROFILING_MAX_TIME_USAGE_PCT: '100'
    },
    SEEDED
  )
  // The first query connects to the database, which is a span of its own.
  await ask(server, { traceparent: parentOf('f'.repeat(32), '00') })
  return { ...server, service }
}

function parentOf(traceId: string, flags: '00' | '01'): string {
  return `00-${traceId}-${'b'.repeat(16)}-${flags}`
}

async function ask({ url }: StartedServer, headers: Record<string, string> = {}): Promise<AnswerBody> {
  const { status, body } = await sendJson(
    `${url}/query`,
    'POST',
    { query: 'How long are logs kept?' },
    headers
  )
  assert.equal(status, 200)
  return body
}

/** What it still holds is sent before it ends. */
async function end({ child }: StartedServer): Promise<{ exitCode: number | null; shutdownMs: number }> {
  const startedAtMs = Date.now()
  child.kill('SIGTERM')
  const [exitCode] = (await once(child, 'exit')) as [number | null]
  return { exitCode, shutdownMs: Date.now() - startedAtMs }
}

function keptByRatio(traceId: string): boolean {
  const { decision } = new TraceIdRatioBasedSampler(RATE).shouldSample(ROOT_CONTEXT, traceId)
  return decision === SamplingDecision.RECORD_AND_SAMPLED
}

/** The names of each trace's spans, by its id. */
type Traces = Map<string, string[]>

async function readJaeger(service: string): Promise<Traces> {
  const search = new URLSearchParams({ service, lookback: '1h', limit: '5000' })
  const traces = (await queryJaeger<JaegerTrace[]>(jaegerUrl, `/api/traces?${search}`)) ?? []
  return new Map(
    traces.map((trace) => {
      const own = trace.spans.filter((span) => serviceOf(trace, span) === service)
      return [trace.traceID, own.map(({ operationName }) => operationName)]
    })
  )
}

async function readDatadog(service: string): Promise<Traces> {
  const traces = new Map<string, DatadogSpan[]>()
  for (const spans of await readTraces(agentUrl, service)) {
    traces.set(traceIdOf(spans), [...(traces.get(traceIdOf(spans)) ?? []), ...spans])
  }
  return new Map([...traces].map(([id, spans]) => [id, spans.map(({ resource }) => resource)]))
}

/** On its way down the service answers 503 to whoever still asks, which is a trace of its own. */
function isAnswered(names: string[]): boolean {
  return names.some((name) => STAGES.includes(name))
}

/** These traces are in both, each of them whole, and no other but those of requests that were turned away. */
async function assertBothHold(service: string, traceIds: string[]): Promise<void> {
  const [jaeger, datadog] = await Promise.all([readJaeger(service), readDatadog(service)])
  const answered = (traces: Traces) => [...traces].flatMap(([id, names]) => (isAnswered(names) ? [id] : []))
  assert.deepEqual(answered(jaeger).toSorted(), traceIds.toSorted())
  assert.deepEqual([...datadog.keys()].toSorted(), [...jaeger.keys()].toSorted())
  const spansPerTrace = new Set(traceIds.map((id) => jaeger.get(id)?.length))
  assert.equal(spansPerTrace.size, 1, `all alike: ${[...spansPerTrace]}`)
  for (const traceId of traceIds) {
    const [names, inDatadog] = [jaeger.get(traceId) ?? [], datadog.get(traceId) ?? []]
    for (const stage of ['POST /query', ...STAGES]) {
      assert(names.includes(stage) && inDatadog.includes(stage), `${traceId} has no ${stage}`)
    }
    assert(inDatadog.some((resource) => resource.startsWith('SELECT')))
    assert.equal(inDatadog.length, names.length, traceId)
  }
}

test(`of ${REQUESTS} requests both hold exactly the traces that the ratio keeps, whole`, async (t) => {
  const server = await start('ratio', RATE)
  const answers: AnswerBody[] = []
  let asked = 0
  async function askInTurn(): Promise<void> {
    while (asked < REQUESTS) {
      asked += 1
      answers.push(await ask(server))
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, askInTurn))
  assert.equal((await end(server)).exitCode, 0)

  const traceIds = answers.map(({ trace_id }) => trace_id)
  assert.equal(new Set(traceIds).size, REQUESTS)
  const kept = traceIds.filter(keptByRatio)
  t.diagnostic(`${kept.length} of ${REQUESTS} traces are kept`)
  assert.deepEqual(
    answers.flatMap(({ trace_id, sampled }) => (sampled ? [trace_id] : [])),
    kept
  )
  await assertBothHold(server.service, kept)
})

test("a caller's decision is kept: 01 is in both under its id, 00 in neither, x-force-sample in both", async () => {
  const server = await start('decisions', 0)
  const [kept = '', dropped = ''] = ['1', '2'].map((digit) => digit.repeat(32))
  const answers = [
    await ask(server, { traceparent: parentOf(kept, '01') }),
    await ask(server, { traceparent: parentOf(dropped, '00') }),
    await ask(server, { 'x-force-sample': '1' }),
    await ask(server)
  ]
  assert.equal((await end(server)).exitCode, 0)
  assert.deepEqual(
    answers.map(({ sampled }) => sampled),
    [true, false, true, false]
  )
  assert.deepEqual(
    answers.slice(0, 2).map(({ trace_id }) => trace_id),
    [kept, dropped]
  )
  await assertBothHold(server.service, [kept, answers[2]?.trace_id ?? ''])
})

test('SIGTERM under load: every trace that was answered is in both, within 5 s', async (t) => {
  const server = await start('sigterm', 1)
  const traceIds: string[] = []
  async function askUntilClosed(): Promise<void> {
    while (true) {
      const answer = await ask(server).catch(() => undefined)
      if (answer === undefined) return
      traceIds.push(answer.trace_id)
    }
  }
  const clients = Array.from({ length: CLIENTS }, askUntilClosed)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const { exitCode, shutdownMs } = await end(server)
  await Promise.all(clients)
  t.diagnostic(`${traceIds.length} answers, shutdown in ${shutdownMs} ms`)
  assert.equal(exitCode, 0)
  assert(shutdownMs < MAX_SHUTDOWN_MS, `${shutdownMs} ms`)
  assert(traceIds.length > CLIENTS)
  await assertBothHold(server.service, traceIds)
})
