import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HourCount } from '../../src/telemetry/hour-count.ts'

const MINUTE_MS = 60_000

test('requests are counted for 60 one-minute buckets, the current one included', () => {
  const count = new HourCount()
  for (let minute = 0; minute < 90; minute++) {
    count.add(minute * MINUTE_MS)
    count.add(minute * MINUTE_MS + 59_999)
  }
  assert.equal(count.lastHour(89 * MINUTE_MS), 120)
  assert.equal(count.lastHour(119 * MINUTE_MS), 60)
  assert.equal(count.lastHour(149 * MINUTE_MS), 0)
})

test('a start is not extrapolated', () => {
  const count = new HourCount()
  count.add(0)
  assert.equal(count.lastHour(1), 1)
})
