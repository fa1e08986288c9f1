import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fitGrowth } from '../../src/evidence/complexity.ts'
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
  return fitGrowth(spans, buildSpanTree(spans))
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
    const growth = fitGrowth(
      spans.filter(({ name }) => name === 'stage'),
      buildSpanTree(spans)
    )
    assert.ok(growth && Math.abs(growth.exponent - 1) < 0.01)
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
