import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Function as FunctionEntry, Line, Location, Profile, Sample, StringTable } from 'pprof-format'
import { decodeCpuSamples } from '../../src/evidence/cpu-samples.ts'

const MS = 1e6

/** Ten samples of 10 ms in a native function, of which each computed for 1 ms. */
function makeProfile(): Profile {
  const stringTable = new StringTable()
  return new Profile({
    stringTable,
    function: [new FunctionEntry({ id: 1, name: stringTable.dedup('readFileUtf8'), filename: 0 })],
    location: [new Location({ id: 1, line: [new Line({ functionId: 1, line: 0 })] })],
    sample: Array.from(
      { length: 10 },
      () => new Sample({ locationId: [1], value: [1, 10 * MS, MS], label: [] })
    )
  })
}

function costOf(coreWaitMs: number): { costMs: number; blocked: number } {
  const samples = decodeCpuSamples(makeProfile(), coreWaitMs)
  return {
    costMs: Math.round(samples.reduce((sum, { costMs }) => sum + costMs, 0)),
    blocked: samples.filter(({ isBlocked }) => isBlocked).length
  }
}

test('a system call that does not compute costs its wall time', () => {
  assert.deepEqual(costOf(0), { costMs: 100, blocked: 10 })
})

test('what a thread spends without a core is nobody’s cost', () => {
  assert.deepEqual(costOf(90), { costMs: 10, blocked: 0 })
  assert.deepEqual(costOf(500), { costMs: 10, blocked: 0 })
})

test('of both, each sample gives up the same part', () => {
  assert.deepEqual(costOf(18), { costMs: 82, blocked: 10 })
})
