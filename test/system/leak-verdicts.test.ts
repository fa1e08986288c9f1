/**
 * What excuses growth and what does not, and what Node itself holds: beyond what `npm test` has time for. The soak runs
 * every fixture many times.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertLeak, assertNoLeak, checkFixture } from '../fixtures/leaks/trials.ts'

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
      await assertLeak(name)
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
      await assertNoLeak(name)
    })
  }

  test('leaves open what has a limit that it can not reach', async () => {
    assert.equal((await checkFixture('unfilled-private-count')).verdict, 'inconclusive')
  })
})
