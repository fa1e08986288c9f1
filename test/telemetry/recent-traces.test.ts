import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, trace } from '@opentelemetry/api'
import { AlwaysOffSampler, TracerProvider } from '@opentelemetry/sdk-trace'
import { RecentTraces } from '../../src/telemetry/recent-traces.ts'

function createTracer(recentTraces: RecentTraces) {
  return new TracerProvider({ spanProcessors: [recentTraces] }).getTracer('test')
}

test('the newest 200 traces are kept, newest first', () => {
  const recentTraces = new RecentTraces()
  const tracer = createTracer(recentTraces)
  const ids = Array.from({ length: 250 }, (_, i) => {
    const span = tracer.startSpan(`request ${i}`)
    span.end()
    return span.spanContext().traceId
  })
  assert.deepEqual(
    recentTraces.list().map((each) => each.trace_id),
    ids.slice(50).toReversed()
  )
  assert.equal(recentTraces.find(ids[0] ?? ''), undefined)
})

test('a trace keeps 500 spans and its root, and counts the rest', () => {
  const recentTraces = new RecentTraces()
  const tracer = createTracer(recentTraces)
  const root = tracer.startSpan('root')
  const inRoot = trace.setSpan(context.active(), root)
  for (let i = 0; i < 600; i++) tracer.startSpan('child', {}, inRoot).end()
  assert.deepEqual(recentTraces.list(), [], 'a trace is listed when its root has ended')
  root.end()
  const [summary] = recentTraces.list()
  assert.deepEqual([summary?.name, summary?.span_count, summary?.dropped_spans], ['root', 501, 100])
})

test('what is not sampled is not kept', () => {
  const recentTraces = new RecentTraces()
  const provider = new TracerProvider({ sampler: new AlwaysOffSampler(), spanProcessors: [recentTraces] })
  provider.getTracer('test').startSpan('unsampled').end()
  assert.deepEqual(recentTraces.list(), [])
})

test('what they take rises with their spans, and no further once the newest push out the oldest', () => {
  const recentTraces = new RecentTraces()
  const tracer = createTracer(recentTraces)
  const addTraces = (count: number) => {
    for (let i = 0; i < count; i++) tracer.startSpan('request').end()
    return recentTraces.keptBytes
  }
  assert.equal(recentTraces.keptBytes, 0)
  const [bytesOf100, bytesOf200] = [addTraces(100), addTraces(100)]
  assert.ok(bytesOf100 > 0)
  assert.equal(bytesOf200, 2 * bytesOf100)
  assert.equal(addTraces(50), bytesOf200)
})
