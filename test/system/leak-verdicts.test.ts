/** What excuses growth and what does not, and what Node itself holds, beyond what `npm test` has time for; the soak runs every fixture many times. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkFixture, readExpected } from '../fixtures/leaks/trials.ts'

describe('a leak check', () => {
  for (const name of [
    'promise-race',
    'proxied',
    'limited-namesake',
    'warned-of',
    'full-outer',
    'linked-limit',
    'late',
    'closure-chain',
    'node-marks',
    'node-channels',
    'node-debuglog'
  ]) {
    test(`finds ${name}, its variable and its line`, async () => {
      const { verdict, retained_by, allocated_at } = await checkFixture(name)
      assert.deepEqual({ verdict, retained_by, allocated_at }, { verdict: 'leak', ...readExpected(name) })
    })
  }

  for (const name of [
    'innocent-linked-limit',
    'innocent-timeout-ttl',
    'innocent-interval-ttl',
    'innocent-filtered-ttl',
    'innocent-two-filtered-ttl',
    'innocent-pending-timeouts'
  ]) {
    test(`calls ${name} no leak`, async () => {
      const report = await checkFixture(name)
      assert.ok(report.verdict === 'bounded' || report.verdict === 'clean', JSON.stringify(report))
    })
  }

  test('leaves open what has a limit that it can not reach', async () => {
    assert.equal((await checkFixture('unfilled-private-count')).verdict, 'inconclusive')
  })
})
