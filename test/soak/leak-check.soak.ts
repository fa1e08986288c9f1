/** Every fixture many times over: `LEAK_TRIALS=30 node --test test/soak/leak-check.soak.ts`. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, test } from 'node:test'
import { checkFixture, readExpected } from '../fixtures/leaks/trials.ts'

const TRIALS = Number(process.env.LEAK_TRIALS ?? 30)
/** One in thirty may go wrong. */
const MAX_WRONG = Math.floor(TRIALS / 30)
const NO_WORKLOAD = new Set([
  'trials',
  'namesake-other',
  'orphan-parent',
  'endless-loop',
  'eats-buffers',
  'eats-heap',
  'throws'
])

const names = readdirSync(path.join(import.meta.dirname, '../fixtures/leaks'))
  .map((file) => path.basename(file, '.ts'))
  .filter((name) => !NO_WORKLOAD.has(name))

async function tryOnce(name: string): Promise<string | null> {
  const { verdict, retained_by, allocated_at } = await checkFixture(name)
  const said = `${verdict} ${retained_by} ${allocated_at}`
  if (name.startsWith('unfilled-')) return verdict === 'inconclusive' ? null : said
  if (name.startsWith('innocent-')) return verdict === 'clean' || verdict === 'bounded' ? null : said
  const expected = readExpected(name)
  return said === `leak ${expected.retained_by} ${expected.allocated_at}` ? null : said
}

describe(`${TRIALS} leak checks of each`, () => {
  for (const name of names) {
    test(name, async (t) => {
      const wrong: string[] = []
      for (let trial = 0; trial < TRIALS; trial++) {
        const said = await tryOnce(name)
        if (said !== null) wrong.push(said)
      }
      t.diagnostic(`${TRIALS - wrong.length} of ${TRIALS} right`)
      assert.ok(wrong.length <= MAX_WRONG, wrong.join('\n'))
    })
  }

  test('a heap that is taken without end ends the child, not the service', async () => {
    const { verdict, reason } = await checkFixture('eats-heap')
    assert.equal(verdict, 'inconclusive')
    assert.match(reason, /died|killed/)
  })
})
