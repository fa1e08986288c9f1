import assert from 'node:assert/strict'
import { test } from 'node:test'

// The page's modules are JavaScript for the browser: without types here.
const { findFault, measuredCosts, measuredSwitch } = await import(
  new URL('../../src/page/fault-effect.js', import.meta.url).href
)

const filter = { name: 'slow-filter', simulates: 'a slow filter', file: 'src/a.ts', line: 40, enabled: true }
const loop = { name: 'one-by-one', simulates: 'one call an item', file: 'src/db.ts', line: 79, enabled: true }
const index = {
  name: 'no-index',
  simulates: 'a key without an index',
  file: 'src/db.ts',
  line: 39,
  enabled: true
}
const repeats = {
  name: 'repeated-tokens',
  simulates: 'the same text again',
  file: 'src/b.ts',
  line: 3,
  enabled: true
}
const faults = [filter, loop, index, repeats]

function sql(line: number, planIssues: string[] = []) {
  const plan_issues = planIssues.map((kind) => ({ kind }))
  return { kind: 'sql', severity: 'fault', file: 'src/db.ts', line, cost_ms_per_request: 150, plan_issues }
}

test('a finding is the fault near whose comment it stands; a statement only on its very line', () => {
  assert.equal(findFault({ kind: 'cpu', file: 'src/a.ts', line: 37 }, faults), filter)
  assert.equal(findFault({ kind: 'cpu', file: 'src/a.ts', line: 60 }, faults), undefined)
  assert.equal(findFault({ kind: 'cpu', file: 'src/b.ts', line: 40 }, faults), undefined)
  assert.equal(findFault(sql(79), faults), loop)
  assert.equal(findFault(sql(75), faults), undefined)
  assert.equal(findFault(sql(79, ['unindexed-scan']), faults), index)
  assert.equal(findFault({ kind: 'tokens', file: 'src/a.ts', line: 40 }, faults), repeats)
})

test('what a fault costs is the sum of its findings, faults only, in their own units', () => {
  const findings = [
    { kind: 'cpu', severity: 'fault', file: 'src/a.ts', line: 40, cost_ms_per_request: 400 },
    { kind: 'cpu', severity: 'fault', file: 'src/a.ts', line: 37, cost_ms_per_request: 12 },
    { kind: 'cpu', severity: 'info', file: 'src/a.ts', line: 38, cost_ms_per_request: 5 },
    { kind: 'tokens', severity: 'fault', file: 'src/db.ts', line: 79, tokens_per_request: 812 },
    sql(79)
  ]
  const state = { record: { findings }, faults }
  assert.deepEqual(measuredCosts(filter, state), ['412 ms per request'])
  assert.deepEqual(measuredCosts(loop, state), ['150 ms per request'])
  assert.deepEqual(measuredCosts(repeats, state), ['812 tokens per request'])
  assert.deepEqual(measuredCosts(index, state), [])
})

test('a leak that the check found counts for the fault that it stands at', () => {
  const leakCheck = {
    leak_detected: true,
    allocated_at: 'src/a.ts:40',
    growth_bytes_per_iteration: 48 * 1024
  }
  assert.match(measuredCosts(filter, { leakCheck, faults })[0], /^48 KB kept for good/)
  assert.deepEqual(measuredCosts(loop, { leakCheck, faults }), [])
})

test('a change between two runs is a switch’s only where no other was switched, and not for noise', () => {
  const comparison = {
    spans: [
      { before_ms: 300, change_ms: -290 },
      { before_ms: 1000, change_ms: -600 }
    ]
  }
  const switchOff = (...names: string[]) =>
    faults.map((fault) => ({ ...fault, enabled: !names.includes(fault.name) }))
  const one = { comparison, faultsBefore: faults, faultsAfter: switchOff('no-index') }
  assert.deepEqual(measuredSwitch(one), { name: 'no-index', changeMs: -600 })
  assert.equal(measuredSwitch({ ...one, faultsAfter: switchOff('no-index', 'one-by-one') }), undefined)
  assert.equal(measuredSwitch({ ...one, faultsAfter: faults }), undefined)
  assert.equal(measuredSwitch({ ...one, faultsBefore: undefined }), undefined)
  const noise = { spans: [{ before_ms: 1000, change_ms: 8 }] }
  assert.equal(measuredSwitch({ ...one, comparison: noise }), undefined)
})
