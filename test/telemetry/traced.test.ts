import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { traced } from '../../src/telemetry/traced.ts'

const exporter = new InMemorySpanExporter()
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }))
context.setGlobalContextManager(new AsyncLocalStorageContextManager())

function takeSpans() {
  const spans = exporter.getFinishedSpans().slice()
  exporter.reset()
  return spans
}

test('sync work returns its value; its span ends with it', () => {
  const result = traced('sync', { size: 3 }, () => 7)
  assert.equal(result, 7)
  const [span] = takeSpans()
  assert.deepEqual(
    [span?.name, span?.attributes, span?.status.code],
    ['sync', { size: 3 }, SpanStatusCode.UNSET]
  )
})

test('async work keeps its span active and open until it settles', async () => {
  const { promise, resolve } = Promise.withResolvers<number>()
  const pending = traced('outer', {}, async () => {
    const value = await promise
    return traced('inner', {}, () => value)
  })
  assert.deepEqual(takeSpans(), [])
  resolve(8)
  assert.equal(await pending, 8)
  const [inner, outer] = takeSpans()
  assert.deepEqual([inner?.name, outer?.name], ['inner', 'outer'])
  assert.equal(inner?.parentSpanContext?.spanId, outer?.spanContext().spanId)
})

test('what is thrown, or rejected with, is recorded once and thrown on', async () => {
  const failure = new Error('broken')
  assert.throws(
    () =>
      traced('sync', {}, () => {
        throw failure
      }),
    failure
  )
  await assert.rejects(
    traced('async', {}, () => Promise.reject(failure)),
    failure
  )
  for (const span of takeSpans()) {
    assert.deepEqual(span.status, { code: SpanStatusCode.ERROR, message: 'broken' })
    assert.deepEqual(
      span.events.map(({ name, attributes }) => [name, attributes?.['exception.message']]),
      [['exception', 'broken']]
    )
  }
})

test('beneath a span that nobody records no other is made', () => {
  const unsampled = trace.wrapSpanContext({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 0 })
  const inUnsampled = trace.setSpan(context.active(), unsampled)
  assert.equal(
    context.with(inUnsampled, () => traced('inner', {}, (span) => span)),
    unsampled
  )
  assert.throws(
    () =>
      context.with(inUnsampled, () =>
        traced('inner', {}, () => {
          throw new Error('as it was')
        })
      ),
    /as it was/
  )
  assert.deepEqual(takeSpans(), [])

  const sampledElsewhere = trace.wrapSpanContext({ ...unsampled.spanContext(), traceFlags: 1 })
  context.with(trace.setSpan(context.active(), sampledElsewhere), () => traced('inner', {}, () => {}))
  assert.equal(takeSpans()[0]?.parentSpanContext?.spanId, '2'.repeat(16))
})

test('anything can be thrown', () => {
  for (const thrown of ['text', undefined, null, 5]) {
    let caught: unknown = 'nothing'
    try {
      traced('odd', {}, () => {
        throw thrown
      })
    } catch (error) {
      caught = error
    }
    assert.equal(caught, thrown)
    assert.equal(takeSpans()[0]?.status.message, String(thrown))
  }
})
