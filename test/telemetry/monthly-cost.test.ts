import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimateMonthlyCost } from '../../src/telemetry/monthly-cost.ts'

function totalAt(spansLastHour: number) {
  const { totalUsd, warnings } = estimateMonthlyCost({ spansLastHour, hasAgent: true, isProfiling: true })
  return { totalUsd, warnings: warnings.map((text) => /more than (\d+)/.exec(text)?.[1]) }
}

test('without an agent nothing is billed', () => {
  const { totalUsd, warnings } = estimateMonthlyCost({
    spansLastHour: 0,
    hasAgent: false,
    isProfiling: false
  })
  assert.deepEqual([totalUsd, warnings], [0, []])
})

test('a host, its profiler, and each million of spans', () => {
  assert.deepEqual(totalAt(0), { totalUsd: 46, warnings: [] })
  const spansLastHour = 10_000
  assert.deepEqual(estimateMonthlyCost({ spansLastHour, hasAgent: true, isProfiling: false }), {
    totalUsd: 51.5,
    hostsUsd: 15,
    spansUsd: 36.5,
    profiledHostsUsd: 0,
    spansPerMonth: 7_300_000,
    warnings: []
  })
})

test('it warns from 100 and from 200 dollars', () => {
  assert.deepEqual(totalAt(14_790).warnings, [])
  assert.deepEqual(totalAt(14_795).warnings, ['100'])
  assert.deepEqual(totalAt(42_192).warnings, ['200'])
})
