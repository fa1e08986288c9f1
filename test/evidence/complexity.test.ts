import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fitCpuGrowth, fitWaitGrowth } from '../../src/evidence/complexity.ts'
import { buildSpanTree } from '../../src/evidence/span-tree.ts'
import { makeSpan } from '../fixtures/spans.ts'

const SIZES = [100, 180, 320, 560, 1000]

/** @param noise factors on the times, one a size */
function fit(msOf: (size: number) => number, sizes = SIZES, noise: number[] = []) {
  const spans = sizes.map((size, i) =>
    makeSpan({
      name: 'stage',
      threadCpuMs: msOf(size) * (noise[i] ?? 1),
      attributes: { items: size, port: 8000 }
    })
  )
  return fitCpuGrowth(spans, buildSpanTree(spans))
}

describe('empirical complexity', () => {
  const laws: [exponent: number, msOf: (size: number) => number][] = [
    [1, (n) => n / 10],
    [2, (n) => n ** 2 / 2000],
    [3, (n) => n ** 3 / 1e6]
  ]
  for (const [exponent, msOf] of laws) {
    test(`finds n^${exponent} and the attribute it grows with, through 10 % of noise`, () => {
      const growth = fit(msOf, SIZES, [1.1, 0.92, 1.05, 0.95, 1.02])
      assert.equal(growth?.attribute, 'items')
      assert.ok(growth.low <= exponent && exponent <= growth.high, JSON.stringify(growth))
      assert.ok(growth.high - growth.low < 0.8)
    })
  }

  test('takes the CPU of children off', () => {
    const spans = SIZES.flatMap((size) => {
      const parent = makeSpan({ name: 'stage', threadCpuMs: size / 10 + 500, attributes: { items: size } })
      return [parent, makeSpan({ name: 'child', parentSpanId: parent.spanId, threadCpuMs: 500 })]
    })
    const growth = fitCpuGrowth(
      spans.filter(({ name }) => name === 'stage'),
      buildSpanTree(spans)
    )
    assert.ok(growth && Math.abs(growth.exponent - 1) < 0.01)
  })

  test('passes over one odd span in ten, and says how far off it is', () => {
    const sizes = [...SIZES, ...SIZES.map((size) => size + 10)]
    const growth = fit((n) => n ** 2 / 2000, sizes, [1, 1, 1, 1, 12])
    assert.ok(growth && Math.abs(growth.exponent - 2) < 0.05)
    assert.deepEqual([growth.slowest.size, Math.round(growth.slowest.ratio)], [1000, 12])
  })

  test('takes no price for a size', () => {
    const spans = SIZES.map((size) =>
      makeSpan({ name: 'stage', threadCpuMs: size, attributes: { price: size / 1000 + 0.0001 } })
    )
    assert.equal(fitCpuGrowth(spans, buildSpanTree(spans)), undefined)
  })

  const silences: [why: string, growth: ReturnType<typeof fit>][] = [
    ['the sizes spread less than threefold', fit((n) => n, [100, 120, 140, 160, 180])],
    ['there are fewer than four sizes', fit((n) => n, [100, 400, 1600])],
    ['the times do not depend on the size', fit(() => 50, SIZES, [1, 1.4, 0.8, 1.3, 0.9])],
    ['the times are scattered', fit((n) => n ** 2, SIZES, [8, 0.1, 5, 0.2, 1])],
    ['the times are below what a clock can tell', fit((n) => n / 1e6)]
  ]
  for (const [why, growth] of silences) {
    test(`says nothing where ${why}`, () => assert.equal(growth, undefined))
  }
})

describe('the growth of waiting', () => {
  const TOKENS = [1241, 1310, 1420, 1533, 1647, 1760, 1850]

  /** @param factors on the times, one a size */
  function fitWaits(sizes: number[], factors: number[] = []) {
    const spans = sizes.map((tokens, i) =>
      makeSpan({
        name: 'call',
        endMs: 1.5 * tokens * (factors[i] ?? 1),
        attributes: { 'usage.tokens': tokens, tokens, attempt: 1 }
      })
    )
    return fitWaitGrowth(spans, ({ startMs, endMs }) => endMs - startMs)
  }

  test('is linear over a narrow range of sizes, by the shorter of two names', () => {
    const growth = fitWaits(TOKENS, [1.01, 0.99, 1, 1.02, 0.98, 1, 1])
    assert.equal(growth?.attribute, 'tokens')
    assert.ok(growth.low <= 1 && growth.high >= 1, JSON.stringify(growth))
    assert.ok(growth.slowest.ratio < 1.1)
    assert.equal(growth.slowest.size, 1850)
  })

  test('tells a span that takes twice what its size costs', () => {
    const growth = fitWaits(TOKENS, [1, 1, 2])
    assert.ok(growth && Math.abs(growth.exponent - 1) < 0.01)
    assert.equal(growth.slowest.size, 1420)
    assert.ok(Math.abs(growth.slowest.ratio - 2) < 0.05)
  })

  test('is not told where the time does not depend on the size', () => {
    assert.equal(fitWaits(TOKENS, [1.5, 0.7, 1.2, 0.8, 1.3, 0.6, 1]), undefined)
    assert.equal(fitWaits([1849, 1850, 1851, 1852, 1853]), undefined)
  })
})
