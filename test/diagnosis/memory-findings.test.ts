import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findMemoryFindings } from '../../src/diagnosis/memory-findings.ts'

const MB = 1024 * 1024

test('a floor that grows for certain is a fault', () => {
  const [finding] = findMemoryFindings({
    growth: { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: true, spanMs: 180_000 },
    requestsPerHour: 2000
  })
  assert.equal(finding?.kind, 'memory')
  assert.equal(finding?.severity, 'fault')
  assert.equal(finding?.growth_bytes_per_request, Math.round((100 * MB) / 2000))
  assert.deepEqual([finding?.file, finding?.line, finding?.line_exact], [null, null, false])
  assert.match(finding?.evidence[0] ?? '', /100 MB an hour \(95 % interval 80 to 120\)/)
})

test('it names the variable and the line that a leak check has named', () => {
  const [finding] = findMemoryFindings({
    growth: { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: true, spanMs: 180_000 },
    requestsPerHour: 2000,
    leak: { retained_by: 'cache', allocated_at: 'src/cache.ts:12', growth_bytes_per_iteration: 65_000 }
  })
  assert.deepEqual([finding?.file, finding?.line, finding?.line_exact], ['src/cache.ts', 12, true])
  assert.match(finding?.evidence[1] ?? '', /63.5 KB kept by each query, in cache/)
  assert.match(finding?.suggestion ?? '', /Give cache a limit/)
})

for (const [name, growth] of Object.entries({
  'not reliable': { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: false, spanMs: 180_000 },
  'maybe below the threshold': {
    estimate: 30 * MB,
    low: 5 * MB,
    high: 60 * MB,
    reliable: true,
    spanMs: 180_000
  },
  'too little so far': { estimate: 30 * MB, low: 20 * MB, high: 60 * MB, reliable: true, spanMs: 130_000 },
  unknown: { estimate: null, low: null, high: null, reliable: false, spanMs: 180_000 }
})) {
  test(`a growth that is ${name} is none`, () => {
    assert.deepEqual(findMemoryFindings({ growth, requestsPerHour: 2000 }), [])
  })
}
