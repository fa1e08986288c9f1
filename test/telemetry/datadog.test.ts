/** The bridge to Datadog with dd-trace itself, and with an agent that keeps what it is sent. */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { TracerProvider } from '@opentelemetry/sdk-trace'
import { parseConfig } from '../../src/config.ts'
import type { CpuSample } from '../../src/evidence/cpu-samples.ts'
import { startProfilers } from '../../src/evidence/profilers.ts'
import { spanRecorder } from '../../src/evidence/span-recorder.ts'
import { openEvidenceWindow } from '../../src/evidence/window.ts'
import { ProfiledContextManager } from '../../src/telemetry/context-manager.ts'
import { startDatadog } from '../../src/telemetry/datadog.ts'
import { AdjustableSampler } from '../../src/telemetry/sampler.ts'
import { readSamples } from '../fixtures/datadog/profile-upload.ts'
import { startRecordingAgent, traceIdOf } from '../fixtures/datadog/recording-agent.ts'

const WORK_MS = 10
const CONCURRENT_REQUESTS = 50

const agent = await startRecordingAgent()
const { config } = parseConfig({
  DD_TRACE_AGENT_URL: agent.url,
  DD_ENV: 'testing',
  DD_VERSION: '1.2.3',
  SAMPLING_RATE: '0.5'
})
const datadog = startDatadog(config)
startProfilers()
context.setGlobalContextManager(new ProfiledContextManager().enable())
const provider = new TracerProvider({
  sampler: new AdjustableSampler(config.samplingRate, spanRecorder),
  spanProcessors: [spanRecorder, datadog.processor]
})
const tracer = provider.getTracer('test')

function workAlpha(ms: number): number {
  return burn(ms) + 1
}

function workBeta(ms: number): number {
  return burn(ms) + 2
}

function burn(ms: number): number {
  const endAt = performance.now() + ms
  let total = 0
  while (performance.now() < endAt) for (let i = 0; i < 1000; i++) total += Math.sqrt(i) % 3
  return total
}

const WORKERS = [workAlpha, workBeta]

/** Its parts take turns with those of all other requests; a child span in between must not leave its label. */
async function runRequest(): Promise<void> {
  await tracer.startActiveSpan('GET /work', { kind: SpanKind.SERVER }, async (request) => {
    for (const work of WORKERS) {
      await tracer.startActiveSpan(work.name, async (span) => {
        await delay(1)
        work(WORK_MS)
        await tracer.startActiveSpan('child', async (child) => {
          await delay(1)
          child.end()
        })
        work(WORK_MS)
        span.end()
      })
    }
    request.setAttributes({ 'http.request.method': 'GET', 'http.route': '/work' })
    request.end()
  })
}

function workOf(functions: string[]): string | undefined {
  return functions.find((name) => WORKERS.some((work) => work.name === name))
}

function functionsOf({ frames }: CpuSample): string[] {
  return frames.map(({ functionName }) => functionName)
}

const window = openEvidenceWindow()
await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, runRequest))
const evidence = await window.close()

// Two more requests, for what is in no window: one with a caller and a failure, one that is never ended.
const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
const called = trace.setSpanContext(ROOT_CONTEXT, {
  ...CALLER,
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true
})
const failing = tracer.startSpan('POST /query', { kind: SpanKind.SERVER }, called)
failing.setAttributes({
  'http.request.method': 'POST',
  'http.route': '/query',
  'http.response.status_code': 500
})
failing.recordException(new TypeError('no such thing'))
failing.setStatus({ code: SpanStatusCode.ERROR, message: 'no such thing' })
const statement = tracer.startSpan(
  'pg.query:SELECT postgres',
  { kind: SpanKind.CLIENT, attributes: { 'db.system.name': 'postgresql', 'db.query.text': 'SELECT 1' } },
  trace.setSpan(called, failing)
)
statement.end()
failing.end()
tracer.startSpan('forgotten', {}, called)

datadog.reportGauges(() => ({ 'memory.growth_mb': 1.25 }))
const wasProfiling = datadog.isProfiling()
await datadog.processor.shutdown()
agent.close()
const sent = agent.traces.flat()

test('no sample of a window stands under a wrong span, sampled or not', () => {
  const names = new Map(evidence.spans.map((span) => [span.spanId, span.name]))
  const ofWork = evidence.samples.filter((sample) => sample.wallMs > 0 && workOf(functionsOf(sample)))
  const labelled = ofWork.filter(({ spanId }) => spanId !== undefined)
  const wrong = labelled.filter((sample) => names.get(sample.spanId ?? '') !== workOf(functionsOf(sample)))
  assert.ok(ofWork.length >= 50, `only ${ofWork.length} samples`)
  assert.deepEqual(wrong, [])
  assert.ok(labelled.length >= 0.95 * ofWork.length, `${labelled.length} of ${ofWork.length} labelled`)
})

test("the profile that the agent gets names spans that it got, and each function's own", () => {
  const names = new Map(sent.map((span) => [span.span_id, span.name]))
  const samples = agent.uploads.flatMap(({ wall }) => readSamples(wall))
  const labelled = samples.filter(({ labels }) => labels['span id'] !== undefined)
  const ofWork = labelled.filter(({ functions }) => workOf(functions))
  assert.ok(ofWork.length >= 20, `only ${ofWork.length} samples`)
  assert.deepEqual(
    labelled.filter(({ labels }) => !names.has(labels['span id'] as bigint)),
    []
  )
  for (const { labels, functions } of ofWork) {
    assert.equal(names.get(labels['span id'] as bigint), workOf(functions))
    assert.equal(labels['trace endpoint'], 'GET /work')
    assert.equal(labels['thread name'], 'Main Event Loop')
  }
  assert.deepEqual(
    [...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))].filter((name) =>
      /origin|_/.test(name)
    ),
    ['end_timestamp_ns']
  )
})

test('what a window cut out of the profile is in it all the same, once', () => {
  const seen = agent.uploads
    .flatMap(({ wall }) => readSamples(wall))
    .map(({ labels }) => labels.end_timestamp_ns)
  const timestamps = seen.filter((timestamp) => timestamp !== undefined)
  const ofWindow = evidence.samples.map(({ timestampMicros }) => BigInt(timestampMicros) * 1000n)
  assert.ok(ofWindow.length > 50)
  assert.deepEqual(
    ofWindow.filter((timestamp) => !timestamps.includes(timestamp)),
    []
  )
  assert.equal(new Set(timestamps).size, timestamps.length)
})

test('exactly the sampled traces arrive, whole, under their own ids', () => {
  const requests = evidence.spans.filter((span) => span.parentSpanId === undefined)
  assert.equal(requests.length, CONCURRENT_REQUESTS)
  const half = new AdjustableSampler(config.samplingRate, { isOpen: false })
  const sampled = requests.filter(
    ({ traceId }) => half.shouldSample(ROOT_CONTEXT, traceId, '', SpanKind.SERVER, {}, []).decision === 2
  )
  const ofWindow = agent.traces.filter((spans) => spans[0]?.resource === 'GET /work')
  assert.deepEqual(
    ofWindow.map((spans) => traceIdOf(spans)).toSorted(),
    sampled.map(({ traceId }) => traceId).toSorted()
  )
  for (const spans of ofWindow) {
    assert.deepEqual(pathsOf(spans).toSorted(), [
      'http.server.request',
      'http.server.request > workAlpha',
      'http.server.request > workAlpha > child',
      'http.server.request > workBeta',
      'http.server.request > workBeta > child'
    ])
  }
})

function pathsOf(spans: typeof sent): string[] {
  const byId = new Map(spans.map((span) => [span.span_id, span]))
  function pathOf(span: (typeof sent)[number]): string {
    const parent = byId.get(BigInt(span.parent_id))
    return parent ? `${pathOf(parent)} > ${span.name}` : span.name
  }
  return spans.map(pathOf)
}

test('a span carries its caller, its tags, its error, and what it belongs to', () => {
  const spans = sent.filter(({ trace_id }) => trace_id === BigInt(`0x${CALLER.traceId.slice(16)}`))
  const server = spans.find(({ resource }) => resource === 'POST /query')
  assert(server)
  assert.equal(traceIdOf([server]), CALLER.traceId)
  assert.equal(BigInt(server.parent_id), BigInt(`0x${CALLER.spanId}`))
  assert.deepEqual([server.service, server.type, server.error], ['compliance-copilot-rag', 'web', 1])
  const { env, version, ...meta } = server.meta
  assert.deepEqual({ env, version }, { env: 'testing', version: '1.2.3' })
  assert.deepEqual(
    [meta['span.kind'], meta['http.method'], meta['http.route'], meta['http.status_code']],
    ['server', 'POST', '/query', '500']
  )
  assert.deepEqual([meta['error.type'], meta['error.message']], ['TypeError', 'no such thing'])
  assert.equal(server.metrics._sampling_priority_v1, 1)
  const sql = spans.find(({ name }) => name === 'postgresql.query')
  assert.deepEqual([sql?.resource, sql?.type, sql?.parent_id], ['SELECT 1', 'sql', server.span_id])
})

test('a span that nobody ended goes out at the end, and all are counted', () => {
  assert.ok(sent.some(({ name }) => name === 'forgotten'))
  const { lastError, ...counts } = datadog.counts
  assert.deepEqual(counts, { started: sent.length, exported: sent.length, failed: 0, dropped: 0, pending: 0 })
  assert.equal(lastError, null)
  assert.deepEqual([datadog.profiles.accepted, datadog.profiles.failed], [agent.uploads.length, 0])
})

test("Datadog's profiler is the one that runs, until the end", () => {
  assert.deepEqual([wasProfiling, datadog.isProfiling()], [true, false])
})

test('gauges arrive under the unified service tags', () => {
  const line = agent.metrics.find((each) => each.startsWith('memory.growth_mb:1.25|g'))
  assert(line, agent.metrics.join('\n'))
  for (const tag of ['service:compliance-copilot-rag', 'env:testing', 'version:1.2.3'])
    assert.ok(line.includes(tag), line)
})
