import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HourCount } from '../../src/telemetry/hour-count.ts'
import { AdjustableSampler } from '../../src/telemetry/sampler.ts'
import { createTrafficRate, type RateChange } from '../../src/telemetry/traffic-rate.ts'

const MINUTE_MS = 60_000

function simulate(t: { mock: { timers: typeof import('node:test').mock.timers } }, perMinute: number[]) {
  t.mock.timers.enable({ apis: ['Date'], now: 0 })
  const sampler = new AdjustableSampler(0.1, { isOpen: false })
  const changes: (RateChange & { minute: number })[] = []
  let minute = 0
  const { countRequest, adjustRate } = createTrafficRate(
    { samplingRate: 0.1, highTrafficRequestsPerHour: 600, highTrafficSamplingRate: 0.01 },
    new HourCount(),
    sampler,
    (change) => void changes.push({ ...change, minute })
  )
  for (const [index, requests] of perMinute.entries()) {
    minute = index
    for (let i = 0; i < requests; i++) countRequest()
    t.mock.timers.tick(MINUTE_MS)
    adjustRate()
  }
  return { changes, rate: sampler.rate }
}

test('the rate falls above the limit, and rises when the hour holds four fifths of it', (t) => {
  const burst = [601]
  const quiet = Array.from({ length: 70 }, () => 5)
  const { changes, rate } = simulate(t, [...burst, ...quiet])
  assert.deepEqual(changes, [
    { samplingRate: 0.01, requestsLastHour: 601, minute: 0 },
    // The burst has left the last 60 minutes.
    { samplingRate: 0.1, requestsLastHour: 59 * 5, minute: 59 }
  ])
  assert.equal(rate, 0.1)
})

test('without further requests the rate rises as well', (t) => {
  const { changes } = simulate(t, [601, ...Array.from({ length: 60 }, () => 0)])
  assert.deepEqual(
    changes.map(({ samplingRate, minute }) => [samplingRate, minute]),
    [
      [0.01, 0],
      [0.1, 59]
    ]
  )
})

test('traffic about the limit changes the rate once, not every minute', (t) => {
  const perMinute = Array.from({ length: 240 }, (_, minute) => (minute % 7 < 3 ? 13 : 9))
  const { changes } = simulate(t, perMinute)
  assert.deepEqual(
    changes.map(({ samplingRate }) => samplingRate),
    [0.01]
  )
})
