import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findMemoryFindings } from '../../src/diagnosis/memory-findings.ts'

const MB = 1024 * 1024

test('a floor that grows for certain is a fault', () => {
  const [finding] = findMemoryFindings({
    growth: { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: true }
  })
  assert.equal(finding?.kind, 'memory')
  assert.equal(finding?.severity, 'fault')
  assert.match(finding?.evidence[0] ?? '', /100 MB an hour \(95 % interval 80 to 120\)/)
})

for (const [name, growth] of Object.entries({
  'not reliable': { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: false },
  'maybe below the threshold': { estimate: 30 * MB, low: 5 * MB, high: 60 * MB, reliable: true },
  unknown: { estimate: null, low: null, high: null, reliable: false }
})) {
  test(`a growth that is ${name} is none`, () => {
    assert.deepEqual(findMemoryFindings({ growth }), [])
  })
}
