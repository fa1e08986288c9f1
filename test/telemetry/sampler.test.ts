import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Context, ROOT_CONTEXT, SpanKind, type TraceFlags, trace } from '@opentelemetry/api'
import { SamplingDecision } from '@opentelemetry/sdk-trace'
import { AdjustableSampler, FORCED_ATTRIBUTE } from '../../src/telemetry/sampler.ts'

const { NOT_RECORD, RECORD, RECORD_AND_SAMPLED } = SamplingDecision

/** Deterministic trace ids (mulberry32), so that the count below is one number, not a range. */
function createTraceIds(count: number): string[] {
  let state = 1
  function nextHex(): string {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0).toString(16).padStart(8, '0')
  }
  return Array.from({ length: count }, () => nextHex() + nextHex() + nextHex() + nextHex())
}

const traceIds = createTraceIds(100_000)

function decide(
  sampler: AdjustableSampler,
  traceId: string,
  context: Context = ROOT_CONTEXT,
  attributes = {}
) {
  return sampler.shouldSample(context, traceId, 'POST', SpanKind.SERVER, attributes, []).decision
}

function sampledIds(sampler: AdjustableSampler): Set<string> {
  return new Set(traceIds.filter((id) => decide(sampler, id) === RECORD_AND_SAMPLED))
}

function childOf(traceFlags: TraceFlags, isRemote: boolean): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '00f067aa0ba902b7',
    traceFlags,
    isRemote
  })
}

test('the rate is kept, changed at run time, and a lower one keeps a subset', () => {
  const sampler = new AdjustableSampler(0.1, { isOpen: false })
  const atTenPercent = sampledIds(sampler)
  // 100,000 ids at 10 %: the standard deviation is 0.095 points.
  const percent = (100 * atTenPercent.size) / traceIds.length
  assert(Math.abs(percent - 10) < 0.3, `${percent} %`)
  sampler.rate = 0.02
  const atTwoPercent = sampledIds(sampler)
  assert(atTwoPercent.size > 0 && atTwoPercent.isSubsetOf(atTenPercent))
  sampler.rate = 1
  assert.equal(sampledIds(sampler).size, traceIds.length)
  sampler.rate = 0
  assert.equal(sampledIds(sampler).size, 0)
})

test("the parent's decision wins over the rate", () => {
  for (const rate of [0, 1]) {
    const sampler = new AdjustableSampler(rate, { isOpen: false })
    for (const isRemote of [true, false]) {
      assert.equal(decide(sampler, 'x', childOf(1, isRemote)), RECORD_AND_SAMPLED)
      assert.equal(decide(sampler, 'x', childOf(0, isRemote)), NOT_RECORD)
    }
  }
})

test('an open window records what is not sampled: roots and both kinds of children', () => {
  const window = { isOpen: true }
  const sampler = new AdjustableSampler(0, window)
  const contexts = [ROOT_CONTEXT, childOf(0, true), childOf(0, false)]
  for (const context of contexts) assert.equal(decide(sampler, traceIds[0] ?? '', context), RECORD)
  assert.equal(decide(sampler, 'x', childOf(1, true)), RECORD_AND_SAMPLED)
  window.isOpen = false
  for (const context of contexts) assert.equal(decide(sampler, traceIds[0] ?? '', context), NOT_RECORD)
})

test('a forced request is sampled at rate 0 and under a parent that is not', () => {
  const sampler = new AdjustableSampler(0, { isOpen: false })
  for (const context of [ROOT_CONTEXT, childOf(0, true)]) {
    assert.equal(decide(sampler, 'x', context, { [FORCED_ATTRIBUTE]: true }), RECORD_AND_SAMPLED)
  }
})
