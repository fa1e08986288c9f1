import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { beforeEach, test } from 'node:test'
import { type Span, trace } from '@opentelemetry/api'
import { createFaultRegistry } from '../../src/faults.ts'
import { clearDocumentCache, loadOpenings, measureDocumentCache } from '../../src/pipeline/document-cache.ts'
import type { Chunk } from '../../src/pipeline/types.ts'
import { makeChunk } from './sample-chunks.ts'

const bounded = createFaultRegistry('none').snapshot()
const unbounded = createFaultRegistry(['unbounded-document-cache']).snapshot()
const faults = { bounded, unbounded }

/** As many documents as a query finds, split as the seed splits them. */
const found: Chunk[] = Array.from({ length: 50 }, (_, documentId) =>
  Array.from({ length: 8 }, (_, position) => {
    const words = Array.from({ length: 55 }, (_, i) => `w${documentId}-${position * 30 + i}`)
    return makeChunk(documentId * 8 + position, words.join(' '), { documentId, position })
  })
).flat()

async function load(query: string, variant: keyof typeof faults, latencyScale = 0) {
  const attributes: Record<string, unknown> = {}
  const span = Object.assign(
    Object.create(trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: 0 })),
    {
      setAttributes: (added: object) => Object.assign(attributes, added)
    }
  ) as Span
  const openings = await loadOpenings(span, query, found, { faults: faults[variant], latencyScale })
  const [hit, hits, misses] = ['hit', 'hits', 'misses'].map((name) => attributes[`rag.cache.${name}`])
  return { openings, hit, hits, misses }
}

beforeEach(() => void clearDocumentCache())

test('both variants give the same openings, each word once', async () => {
  const { openings } = await load('a query', 'unbounded')
  assert.deepEqual((await load('a query', 'bounded')).openings, openings)
  assert.equal(openings.size, 50)
  const words = openings.get(7)?.split(' ')
  assert.deepEqual(
    words,
    Array.from({ length: 4 * 30 + 55 }, (_, i) => `w7-${i}`)
  )
})

for (const variant of ['bounded', 'unbounded'] as const) {
  test(`${variant}: the same query hits, another one misses, and both give the same`, async () => {
    const first = await load('a query', variant)
    assert.deepEqual([first.hit, first.hits, first.misses], [false, 0, 50])
    const again = await load('a query', variant)
    assert.deepEqual([again.hit, again.hits, again.misses], [true, 50, 0])
    assert.deepEqual(again.openings, first.openings)
    assert.equal((await load('another query', variant)).misses, 50)
  })
}

test('a new query adds about 50 KB for good to the unbounded cache; the other one stays under its limit', async () => {
  for (let query = 0; query < 300; query++) await load(`query ${query}`, 'bounded')
  const limited = measureDocumentCache()
  assert.ok(limited.bytes <= 5_000_000)
  assert.ok(limited.entries < 300 * 50)

  clearDocumentCache()
  for (let query = 0; query < 300; query++) await load(`query ${query}`, 'unbounded')
  const { entries, bytes } = measureDocumentCache()
  assert.equal(entries, 300 * 50)
  assert.ok(bytes / 300 > 40_000 && bytes / 300 < 100_000, `${bytes / 300} bytes a query`)
})

test('clearing empties both variants and tells what they held', async () => {
  await load('a query', 'bounded')
  await load('a query', 'unbounded')
  const { entries, bytes } = measureDocumentCache()
  assert.equal(entries, 100)
  assert.ok(bytes > 0)
  assert.deepEqual(clearDocumentCache(), { entries, freedBytes: bytes })
  assert.deepEqual(clearDocumentCache(), { entries: 0, freedBytes: 0 })
  assert.equal((await load('a query', 'unbounded')).misses, 50)
})

test('only a miss waits for the document store', async () => {
  const timeOf = async (latencyScale: number) => {
    const startMs = performance.now()
    await load('a query', 'bounded', latencyScale)
    return performance.now() - startMs
  }
  const missMs = await timeOf(10)
  assert.ok(missMs >= 149, `a miss took ${missMs} ms`)
  const hitMs = await timeOf(10)
  assert.ok(hitMs < missMs / 2, `a hit took ${hitMs} ms, a miss ${missMs} ms`)
})
