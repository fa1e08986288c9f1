import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api'
import { SamplingDecision, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Tracer } from 'dd-trace'
import { DatadogDeliveries } from '../../src/telemetry/datadog-deliveries.ts'
import { DatadogSpans } from '../../src/telemetry/datadog-spans.ts'

/** Keeps what dd-trace would be asked to do. */
function createTracer() {
  const started: string[] = []
  const finished: string[] = []
  const tracer = {
    extract: () => ({}),
    startSpan(name: string) {
      started.push(name)
      return { addTags() {}, finish: () => void finished.push(name) }
    }
  }
  return { tracer: tracer as unknown as Tracer, started, finished }
}

function createProvider(spans: DatadogSpans, decision = SamplingDecision.RECORD_AND_SAMPLED) {
  const sampler = { shouldSample: () => ({ decision }) }
  return new TracerProvider({ sampler, spanProcessors: [spans] }).getTracer('test')
}

test('a span that nobody ends is ended after two minutes, and only once', (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1e12 })
  const { tracer, finished } = createTracer()
  const deliveries = new DatadogDeliveries()
  const source = createProvider(new DatadogSpans(tracer, deliveries))
  const forgotten = source.startSpan('forgotten', { startTime: Date.now() })
  t.mock.timers.tick(119_000)
  source.startSpan('early', { startTime: Date.now() })
  assert.deepEqual(finished, [])
  t.mock.timers.tick(2_000)
  source.startSpan('late', { startTime: Date.now() })
  assert.deepEqual(finished, ['forgotten'])
  forgotten.end()
  assert.deepEqual(finished, ['forgotten'])
  assert.deepEqual([deliveries.counts.started, deliveries.counts.pending], [3, 1])
})

test('what a window records without sampling it stays here', () => {
  const { tracer, started } = createTracer()
  const spans = new DatadogSpans(tracer, new DatadogDeliveries())
  const span = createProvider(spans, SamplingDecision.RECORD).startSpan('unsampled')
  span.end()
  assert.deepEqual([started, spans.knows(span)], [[], false])
})

test('while too much waits for the agent, new traces are dropped whole, and those begun go on', () => {
  const { tracer, started } = createTracer()
  let isFull = false
  const deliveries = Object.assign(new DatadogDeliveries(), { isFull: () => isFull })
  const source = createProvider(new DatadogSpans(tracer, deliveries))
  const startChild = (name: string, parent: Span) =>
    source.startSpan(name, {}, trace.setSpan(ROOT_CONTEXT, parent))

  const early = source.startSpan('early')
  isFull = true
  const late = source.startSpan('late')
  startChild('child of early', early)
  isFull = false
  startChild('child of late', late)

  assert.deepEqual(started, ['early', 'child of early'])
  assert.deepEqual([deliveries.counts.started, deliveries.counts.dropped], [4, 2])
})
