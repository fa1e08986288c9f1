import assert from 'node:assert/strict'
import { test } from 'node:test'
import { estimateGrowthRate, isSustained } from '../../src/evidence/growth-rate.ts'

const MB = 2 ** 20

/** A point every 10 s; `noise` is added in turn. */
function line(count: number, mbPerHour: number, noise: number[] = [0]) {
  return Array.from({ length: count }, (_, i) => ({
    atMs: i * 10_000,
    bytes: 50 * MB + (mbPerHour * MB * i) / 360 + (noise[i % noise.length] ?? 0)
  }))
}

test('a straight line has its slope, without a margin', () => {
  const { estimate, low, high, reliable } = estimateGrowthRate(line(20, 36))
  for (const bytes of [estimate, low, high]) assert(Math.abs((bytes ?? 0) - 36 * MB) < 1)
  assert.equal(reliable, true)
})

test('one odd point does not move it', () => {
  const points = line(20, 36)
  points[7] = { atMs: 70_000, bytes: 500 * MB }
  assert(Math.abs((estimateGrowthRate(points).estimate ?? 0) - 36 * MB) < MB)
})

test('noise without growth: the interval holds zero', () => {
  const { low, high } = estimateGrowthRate(line(60, 0, [0, 3e6, 1e6, 2e6, 5e5, 2.5e6, 1.2e6]))
  assert((low ?? 1) < 0 && (high ?? -1) > 0)
})

test('100 MB an hour is certain after two minutes of noise', () => {
  const { low, reliable } = estimateGrowthRate(line(13, 100, [0, 3e5, 1e5, 2e5, 5e4]))
  assert.equal(reliable, true)
  assert((low ?? 0) > 10 * MB)
})

test('too few points, or too short a time, are not reliable', () => {
  assert.deepEqual(estimateGrowthRate([]), {
    estimate: null,
    low: null,
    high: null,
    reliable: false,
    spanMs: 0
  })
  assert.equal(estimateGrowthRate(line(1, 36)).estimate, null)
  assert.equal(estimateGrowthRate(line(9, 36)).reliable, false)
  assert.equal(estimateGrowthRate(line(12, 36)).reliable, false)
})

test('a sustained growth is certain, fast enough, and adds up', () => {
  const noise = [0, 3e5, 1e5, 2e5, 5e4]
  assert.equal(isSustained(estimateGrowthRate(line(14, 100, noise))), true)
  assert.equal(isSustained(estimateGrowthRate(line(120, 20, noise))), true)
  assert.equal(isSustained(estimateGrowthRate(line(14, 30))), false, 'a megabyte in two minutes')
  assert.equal(isSustained(estimateGrowthRate(line(36, 19))), false, 'a start of six minutes')
  assert.equal(isSustained(estimateGrowthRate(line(120, 5, noise))), false, '5 MB an hour')
  assert.equal(isSustained(estimateGrowthRate(line(120, 0, [0, 3e6, 1e6, 2e6, 5e5]))), false, 'noise')
})

test('what fills up and then stays is no sustained growth', () => {
  const points = line(20, 0, [0, 2e5, 1e5]).map((point, i) => ({
    ...point,
    bytes: point.bytes + Math.min(i, 6) * 5e5
  }))
  assert.equal(isSustained(estimateGrowthRate(points)), false)
})
