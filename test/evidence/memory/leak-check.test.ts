/** A few leaks and innocents, and children that do not behave; the soak runs all of them many times. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertLeak, assertNoLeak, checkFixture } from '../../fixtures/leaks/trials.ts'

describe('a leak check', () => {
  for (const name of ['private-field', 'listeners', 'buffers', 'late-held-up']) {
    test(`finds ${name}, its variable and its line, and proves it`, async () => {
      const report = await assertLeak(name)
      assert.equal(report.leak_detected, true)
      assert.equal(report.iterations, 10)
      assert.ok(report.iterations_run > 10)
      // 50,000 bytes of a Buffer lie outside the heap.
      assert.equal(report.growth_bytes_per_iteration > 50_000, name === 'buffers')
      assert.ok(Math.abs((report.proof?.ratio ?? 0) - 1) < 0.05, JSON.stringify(report.proof))
    })
  }

  // Most of these have no container to empty: there is no proof.
  for (const name of ['weak-values', 'namesake', 'broken-limit', 'beside-expiring']) {
    test(`finds ${name}, its variable and its line`, async () => {
      await assertLeak(name)
    })
  }

  for (const name of ['innocent-lru', 'innocent-garbage', 'innocent-lazy-ttl']) {
    test(`calls ${name} no leak`, async () => {
      const report = await assertNoLeak(name)
      assert.equal(report.leak_detected, false)
      assert.equal(report.retained_by, null)
    })
  }
})

describe('a workload that does not behave', () => {
  test('is killed when it never ends', async () => {
    const report = await checkFixture('endless-loop', { timeLimitMs: 3000 })
    assert.equal(report.verdict, 'inconclusive')
    assert.match(report.reason, /did not end within 3 s/)
  })

  test('is killed when it takes too much memory outside the heap', async () => {
    const report = await checkFixture('eats-buffers', { memoryLimitBytes: 400 * 1024 * 1024 })
    assert.equal(report.verdict, 'inconclusive')
    assert.match(report.reason, /more than 400 MB/)
  })

  test('may fail', async () => {
    const report = await checkFixture('throws')
    assert.equal(report.verdict, 'inconclusive')
    assert.match(report.reason, /no iteration 20/)
  })
})
