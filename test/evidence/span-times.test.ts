import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { measureSpanTimes } from '../../src/evidence/span-times.ts'
import { buildSpanTree } from '../../src/evidence/span-tree.ts'
import { makeIdleSample, makeSample, makeSpan } from '../fixtures/spans.ts'

function timesOf(name: string, ...args: Parameters<typeof measureSpanTimes>) {
  const times = measureSpanTimes(...args).find((each) => each.name === name)
  assert.ok(times, `no times of ${name}`)
  return times
}

test('splits the time of a span into its own, others’, idle, and its children’s', () => {
  const request = makeSpan({ name: 'request', startMs: 0, endMs: 100 })
  const stage = makeSpan({ name: 'stage', parentSpanId: request.spanId, startMs: 0, endMs: 100 })
  const call = makeSpan({
    name: 'call',
    kind: SpanKind.CLIENT,
    parentSpanId: stage.spanId,
    startMs: 40,
    endMs: 70
  })
  const samples = [
    makeSample(10, { spanId: stage.spanId }),
    makeSample(20, { spanId: stage.spanId }),
    makeSample(30, { spanId: 'of another request' }),
    makeIdleSample(40),
    makeIdleSample(55),
    makeIdleSample(65),
    makeIdleSample(80),
    makeIdleSample(90)
  ]
  const times = timesOf('stage', buildSpanTree([request, stage, call]), samples)
  assert.equal(times.durationMs, 100)
  assert.equal(times.ownCpuMs, 20)
  assert.equal(times.busyWithOthersMs, 10)
  assert.ok(Math.abs(times.idleMs - 30) < 1, `${times.idleMs}`)
  assert.deepEqual(times.children, [
    {
      name: 'call',
      kind: SpanKind.CLIENT,
      isStatement: false,
      httpMethod: undefined,
      perParent: 1,
      coveredMs: 30,
      idleMs: 30,
      growth: undefined
    }
  ])
})

test('counts as idle only what was seen idle: a thread without a core is neither', () => {
  const request = makeSpan({ name: 'request', startMs: 0, endMs: 100 })
  const times = timesOf('request', buildSpanTree([request]), [makeSample(10, { spanId: request.spanId })])
  assert.equal(times.idleMs, 0)
})

test('children of requests that overlap do not hide each other', () => {
  const spans = [0, 1].flatMap(() => {
    const request = makeSpan({ name: 'request', startMs: 0, endMs: 100 })
    return [request, makeSpan({ name: 'call', parentSpanId: request.spanId, startMs: 10, endMs: 90 })]
  })
  assert.equal(timesOf('request', buildSpanTree(spans), []).children[0]?.coveredMs, 80)
})

test('calls that overlap under one parent cover its time once', () => {
  const request = makeSpan({ name: 'request', startMs: 0, endMs: 100 })
  const calls = [10, 20, 30].map((startMs) =>
    makeSpan({ name: 'call', parentSpanId: request.spanId, startMs, endMs: startMs + 30 })
  )
  const [children] = timesOf('request', buildSpanTree([request, ...calls]), []).children
  assert.deepEqual(children, {
    name: 'call',
    kind: SpanKind.INTERNAL,
    isStatement: false,
    httpMethod: undefined,
    perParent: 3,
    coveredMs: 50,
    idleMs: 0,
    growth: undefined
  })
})

test('takes finished spans only, as long as there are any', () => {
  const finished = makeSpan({ name: 'request', startMs: 0, endMs: 100 })
  const running = makeSpan({ name: 'request', startMs: 0, endMs: 10, ended: false })
  assert.equal(timesOf('request', buildSpanTree([finished, running]), []).durationMs, 100)
  assert.equal(timesOf('request', buildSpanTree([running]), []).durationMs, 10)
})
