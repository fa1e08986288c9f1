import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type GuardState, nextState, STEPS } from '../../src/telemetry/overhead-steps.ts'

const LIMIT_PCT = 5

/** Lets the guard look every 2 s for `seconds`, with telemetry at that cost. @returns the state each time it changed */
function watch(
  from: GuardState,
  seconds: number,
  costOf: (taken: number) => number | null,
  profilerShare = 1
) {
  const changes: GuardState[] = []
  let state = from
  for (let nowMs = from.sinceMs; nowMs <= from.sinceMs + seconds * 1000; nowMs += 2000) {
    const totalPct = costOf(state.taken)
    const cost = totalPct === null ? null : { totalPct, profilerPct: profilerShare * totalPct }
    const next = nextState(state, cost, LIMIT_PCT, nowMs)
    if (next.taken !== state.taken) changes.push(next)
    state = next
  }
  return changes
}

const start: GuardState = { taken: 0, sinceMs: 0 }

test('what passes the limit by far is shed within 30 s: windows, spans, then the profiler', () => {
  assert.deepEqual(STEPS, ['windows', 'span_rate', 'profiler'])
  assert.deepEqual(
    watch(start, 30, () => 11),
    [8_000, 16_000, 24_000].map((sinceMs, i) => ({ taken: i + 1, sinceMs }))
  )
})

test('windows and spans go before the limit is passed, the profiler only past it', () => {
  assert.deepEqual(
    watch(start, 600, () => 4.5).map(({ taken }) => taken),
    [1, 2]
  )
  assert.deepEqual(
    watch(start, 600, () => 3.9),
    []
  )
})

test('a burst that passes the limit for less than a minute takes nothing away', () => {
  let looks = 0
  assert.deepEqual(
    watch(start, 600, () => (looks++ % 35 < 25 ? 6 : 3)),
    []
  )
})

test('the profiler is not stopped for what the spans cost', () => {
  assert.deepEqual(
    watch(start, 600, () => 20, 0.2).map(({ taken }) => taken),
    [1, 2]
  )
})

test('nothing more is given up once a step has helped, and nothing comes back near the limit', () => {
  assert.deepEqual(
    watch(start, 600, (taken) => (taken === 0 ? 6 : 3)).map(({ taken }) => taken),
    [1]
  )
})

test('well below the limit the steps are taken back one by one, each after 30 s', () => {
  assert.deepEqual(
    watch({ taken: 2, sinceMs: 0 }, 120, () => 1),
    [
      { taken: 1, sinceMs: 30_000 },
      { taken: 0, sinceMs: 60_000 }
    ]
  )
})

test('the profiler never comes back, and what nobody can measure changes nothing', () => {
  assert.deepEqual(
    watch({ taken: 3, sinceMs: 0 }, 600, () => 0),
    []
  )
  assert.deepEqual(
    watch({ taken: 1, sinceMs: 0 }, 600, () => null),
    []
  )
})
