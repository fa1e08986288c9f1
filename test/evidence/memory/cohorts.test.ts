import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countDeadBytes, isSuspect, judge, type Look } from '../../../src/evidence/memory/cohorts.ts'

const FIRST = [10, 10, 10, 10, 10, 10]
const SMALL_BYTES = 40
const LARGE_BYTES = 4000

interface Counted {
  counts: number[]
  /** Of each object that survives. */
  objectBytes?: number
  storeBytes?: number
  storeEntries?: number
  storeCounts?: number[]
  /** At the last boundary; 0 at those before. */
  grownBytes?: number
}

/** A look at one holding after 64 iterations of warm-up and those of the cohorts. */
function look(
  cohortIterations: number[],
  {
    counts,
    objectBytes = SMALL_BYTES,
    storeBytes = 0,
    storeEntries = 0,
    storeCounts = counts.map(() => 0),
    grownBytes = 0
  }: Counted
): Look {
  const holding = {
    counts,
    bytes: counts.map((count) => count * objectBytes),
    storeBytes,
    storeEntries,
    storeCounts
  }
  const done = cohortIterations.reduce((total, iterations) => total + iterations, 64)
  const usedBytes = [...counts.map(() => 0), grownBytes]
  return { holdings: new Map([['cache', holding]]), cohortIterations, done, usedBytes }
}

function judgeTwo(first: Counted, second: Counted): string {
  const looks = [look(FIRST, first), look([...FIRST, 600], second)]
  const suspect = looks[0]?.holdings.get('cache')
  return suspect && looks[0] && isSuspect(suspect, looks[0]) ? judge('cache', looks) : 'no suspect'
}

const cases: [name: string, first: Counted, second: Counted, verdict: string][] = [
  ['a leak', { counts: [10, 10, 10, 10, 10, 10] }, { counts: [10, 10, 10, 10, 10, 10, 600] }, 'leak'],
  [
    'a leak at every tenth iteration',
    { counts: [1, 1, 1, 1, 1, 1] },
    { counts: [1, 1, 1, 1, 1, 1, 60] },
    'leak'
  ],
  [
    'a cache that filled up',
    { counts: [10, 10, 10, 10, 10, 10] },
    { counts: [0, 0, 0, 0, 0, 0, 300] },
    'bounded'
  ],
  [
    'a memo that has seen all',
    { counts: [10, 10, 10, 6, 1, 1] },
    { counts: [10, 10, 10, 6, 1, 1, 0] },
    'bounded'
  ],
  [
    'a window of the newest',
    { counts: [0, 0, 8, 10, 10, 10], objectBytes: LARGE_BYTES },
    { counts: [0, 0, 0, 0, 0, 0, 38], objectBytes: LARGE_BYTES },
    'no suspect'
  ],
  [
    'a window of the newest, too small to tell at once',
    { counts: [0, 0, 0, 8, 8, 8], objectBytes: LARGE_BYTES },
    { counts: [0, 0, 0, 0, 0, 0, 24], objectBytes: LARGE_BYTES },
    'innocent'
  ],
  [
    'a leak that came late',
    { counts: [0, 0, 8, 10, 10, 10], objectBytes: LARGE_BYTES, grownBytes: 38 * LARGE_BYTES },
    { counts: [0, 0, 8, 10, 10, 10, 600], objectBytes: LARGE_BYTES },
    'leak'
  ],
  [
    'a leak that came later',
    { counts: [0, 0, 0, 0, 10, 10], objectBytes: 2 * LARGE_BYTES, grownBytes: 40 * LARGE_BYTES },
    { counts: [0, 0, 0, 0, 10, 10, 600], objectBytes: 2 * LARGE_BYTES },
    'leak'
  ],
  [
    'a leak that came late, but rarely',
    { counts: [0, 0, 1, 2, 1, 2] },
    { counts: [0, 0, 1, 2, 1, 2, 60] },
    'leak'
  ],
  ['warm-up', { counts: [3, 0, 0, 0, 0, 0] }, { counts: [3, 0, 0, 0, 0, 0, 0] }, 'no suspect'],
  ['the last of each', { counts: [0, 0, 0, 0, 0, 1] }, { counts: [0, 0, 0, 0, 0, 0, 1] }, 'no suspect'],
  [
    'numbers in a growing array',
    { counts: [0, 0, 0, 0, 0, 0], storeBytes: 1000 },
    { counts: [0, 0, 0, 0, 0, 0, 0], storeBytes: 6000 },
    'leak'
  ],
  [
    'a table that doubled once',
    { counts: [0, 0, 0, 0, 0, 0], storeBytes: 4000, storeEntries: 90 },
    { counts: [0, 0, 0, 0, 0, 0, 0], storeBytes: 8000, storeEntries: 92 },
    'innocent'
  ],
  [
    'a table of the newest',
    { counts: [0, 0, 0, 0, 0, 0], storeBytes: 200_000, storeEntries: 38, storeCounts: [0, 0, 8, 10, 10, 10] },
    { counts: [0, 0, 0, 0, 0, 0, 0], storeBytes: 200_000, storeEntries: 38 },
    'no suspect'
  ],
  [
    'a table that holds old ones besides the newest',
    { counts: [0, 0, 0, 0, 0, 0], storeBytes: 4000, storeEntries: 90, storeCounts: [0, 0, 8, 10, 10, 10] },
    { counts: [0, 0, 0, 0, 0, 0, 0], storeBytes: 20_000, storeEntries: 400 },
    'leak'
  ]
]

for (const [name, first, second, verdict] of cases) {
  test(`${name}: ${verdict}`, () => assert.equal(judgeTwo(first, second), verdict))
}

test('too few iterations tell nothing', () => {
  const counts = [10, 10, 10, 10, 10, 10]
  assert.equal(
    judge('cache', [look(FIRST, { counts }), look([...FIRST, 10], { counts: [...counts, 10] })]),
    'open'
  )
})

test('what one holder lets go and another still holds is not dead', () => {
  const bytes = [400, 400]
  const none = [0, 0]
  function seen(cache: number[], list: number[]): Look {
    const holding = { counts: [], storeBytes: 0, storeEntries: 0, storeCounts: [] }
    const holdings = new Map([
      ['cache', { ...holding, bytes: cache }],
      ['list', { ...holding, bytes: list }]
    ])
    return { holdings, cohortIterations: [10, 10], done: 84, usedBytes: [] }
  }
  assert.deepEqual(countDeadBytes('cache', seen(bytes, none), seen(none, none)), { own: 800, all: 800 })
  assert.deepEqual(countDeadBytes('cache', seen(bytes, none), seen(none, bytes)), { own: 800, all: 0 })
  // What came since counts for nothing.
  assert.deepEqual(countDeadBytes('cache', seen(bytes, none), seen([...none, 800], none)), {
    own: 800,
    all: 800
  })
})
