import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Function as FunctionEntry, Line, Location, Profile, Sample, StringTable } from 'pprof-format'
import { decodeCpuSamples } from '../../src/evidence/cpu-samples.ts'

const MS = 1e6
const COMPUTED_MS = 1

/** Samples of 10 ms in one function, each with what it computed meanwhile. */
function makeProfile(computedMs: number[] = Array(10).fill(COMPUTED_MS), file = ''): Profile {
  const stringTable = new StringTable()
  return new Profile({
    stringTable,
    function: [
      new FunctionEntry({ id: 1, name: stringTable.dedup('readFileUtf8'), filename: stringTable.dedup(file) })
    ],
    location: [new Location({ id: 1, line: [new Line({ functionId: 1, line: 0 })] })],
    sample: computedMs.map(
      (ms) => new Sample({ locationId: [1], value: [1, 10 * MS, Math.round(ms * MS)], label: [] })
    )
  })
}

function costOf(coreWaitMs: number, profile = makeProfile()): { costMs: number; blocked: number } {
  const samples = decodeCpuSamples(profile, coreWaitMs)
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

test('JavaScript that does nothing for long sleeps in a call without a frame, and costs its wall time', () => {
  const sleeper = makeProfile(Array(10).fill(0.1), '/srv/app/sleep.ts')
  assert.deepEqual(costOf(0, sleeper), { costMs: 100, blocked: 10 })
  assert.deepEqual(costOf(99, sleeper), { costMs: 1, blocked: 0 })
})

test('JavaScript that computes, though with little of a core, or was held up once, costs its CPU time', () => {
  assert.deepEqual(costOf(0, makeProfile(Array(10).fill(2), '/srv/app/work.ts')), { costMs: 20, blocked: 0 })
  const heldUp = makeProfile([9, 0.1, 9, 9, 0.1, 0.1, 9], '/srv/app/work.ts')
  assert.deepEqual(costOf(0, heldUp), { costMs: 36, blocked: 0 })
})
