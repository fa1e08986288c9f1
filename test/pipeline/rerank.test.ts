import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFaultRegistry } from '../../src/faults.ts'
import {
  filterOverlappingChunks,
  filterOverlappingChunksPairwise,
  MAX_CANDIDATES,
  rerank
} from '../../src/pipeline/rerank.ts'
import { fastestMs } from './fastest.ts'
import { createRandom, makeChunk, makeOverlappingChunks } from './sample-chunks.ts'

const allOff = createFaultRegistry('none').snapshot()
const allOn = createFaultRegistry('all').snapshot()
const words = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `w${from + i}`).join(' ')
const filters = { filterOverlappingChunks, filterOverlappingChunksPairwise }

test('both filters keep the same chunks in the same order', () => {
  const random = createRandom(7)
  let dropped = 0
  for (let run = 0; run < 300; run++) {
    // Two words at most and long runs of one: shared windows at every place, of chunks long and short.
    const texts = Array.from({ length: 12 }, () =>
      Array.from({ length: Math.floor(random() * 70) }, () => (random() < 0.06 ? 'b' : 'a')).join(
        random() < 0.5 ? ' ' : ' \n '
      )
    )
    const chunks = texts.map((text, id) => makeChunk(id, text))
    const kept = filterOverlappingChunks(chunks)
    assert.deepEqual(filterOverlappingChunksPairwise(chunks), kept)
    dropped += chunks.length - kept.length
  }
  assert.ok(dropped > 300, `${dropped} chunks dropped`)
  const realistic = makeOverlappingChunks(200, random)
  assert.deepEqual(filterOverlappingChunksPairwise(realistic), filterOverlappingChunks(realistic))
})

for (const [name, filter] of Object.entries(filters)) {
  test(`${name}: 24 shared words in a row are an overlap, 23 are none`, () => {
    const first = makeChunk(1, words(0, 55))
    const sharing24 = makeChunk(2, words(31, 90))
    const sharing23 = makeChunk(3, words(32, 90))
    assert.deepEqual(filter([first, sharing24]), [first])
    assert.deepEqual(filter([first, sharing23]), [first, sharing23])
  })

  test(`${name}: only chunks that were kept count`, () => {
    const chain = [makeChunk(1, words(0, 55)), makeChunk(2, words(30, 85)), makeChunk(3, words(60, 115))]
    assert.deepEqual(filter(chain), [chain[0], chain[2]])
  })

  test(`${name}: chunks shorter than a window overlap nothing`, () => {
    const short = [
      makeChunk(1, words(0, 23)),
      makeChunk(2, words(0, 23)),
      makeChunk(3, ''),
      makeChunk(4, ' ')
    ]
    assert.deepEqual(filter(short), short)
  })
}

test('the pairwise filter grows like the square of the chunks, the other one does not', () => {
  const chunks = makeOverlappingChunks(640, createRandom(3))
  const growth = (filter: typeof filterOverlappingChunks) =>
    fastestMs(3, () => filter(chunks)) / fastestMs(6, () => filter(chunks.slice(0, 160)))
  for (const filter of Object.values(filters)) filter(chunks)
  const pairwise = growth(filterOverlappingChunksPairwise)
  const linear = growth(filterOverlappingChunks)
  assert.ok(pairwise > 9, `4 times the chunks took ${pairwise.toFixed(1)} times as long, 16 expected`)
  assert.ok(linear < 9, `4 times the chunks took ${linear.toFixed(1)} times as long, 4 expected`)
})

test('the fault changes nothing but the time', () => {
  const chunks = makeOverlappingChunks(300, createRandom(5))
  assert.deepEqual(rerank('the policy', chunks, allOn), rerank('the policy', chunks, allOff))
})

test('orders by document rank and matching words, best first, up to the limit', () => {
  const chunks = [
    makeChunk(1, 'Nothing to see.', { score: 0.5 }),
    makeChunk(2, 'The retention of backups.', { score: 0.5 }),
    makeChunk(3, 'Backups.', { score: 0.5 }),
    makeChunk(4, 'Nothing either.', { score: 0.9 })
  ]
  const ids = rerank('Retention of Backups', chunks, allOff).map(({ id }) => id)
  assert.deepEqual(ids, [2, 3, 4, 1])
  const many = Array.from({ length: MAX_CANDIDATES + 1 }, (_, id) => makeChunk(id, 'short'))
  assert.equal(rerank('short', many, allOff).length, MAX_CANDIDATES)
})
