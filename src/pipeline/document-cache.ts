import { setTimeout as wait } from 'node:timers/promises'
import type { Span } from '@opentelemetry/api'
import { LRUCache } from 'lru-cache'
import { OVERLAP_WORDS } from '../database/seed.ts'
import type { FaultSwitches } from '../faults.ts'
import type { Chunk } from './types.ts'

/** How long the simulated document store takes for the texts of one query, at latency scale 1. */
const FETCH_MS = 15

/** Chunks that make a document's opening: about 1,200 characters, so about 50 KB for the 42 documents of a query. */
export const OPENING_CHUNKS = 5

const MAX_CACHE_BYTES = 5_000_000

/** What an entry takes besides its characters: measured, 42 in a Map and 70 in the other. */
const ENTRY_BYTES = 50

/** Openings by query and document. V8 keeps such text at one byte a character. */
const documentCache = new Map<string, string>()
const boundedDocumentCache = new LRUCache<string, string>({
  maxSize: MAX_CACHE_BYTES,
  sizeCalculation: sizeOf
})

/** Since the start. */
const lookups = { hits: 0, misses: 0 }

export interface DocumentCacheDeps {
  faults: FaultSwitches
  /** What the simulated latency is multiplied by; 0 for none. */
  latencyScale: number
}

/** The opening of each document found, by document id: from the cache, or else from the document store. */
export async function loadOpenings(
  span: Span,
  query: string,
  found: readonly Chunk[],
  { faults, latencyScale }: DocumentCacheDeps
): Promise<Map<number, string>> {
  const isUnbounded = faults['unbounded-document-cache']
  const cache = isUnbounded ? documentCache : boundedDocumentCache
  const openings = new Map<number, string>()
  const missing = new Map<number, Chunk[]>()
  for (const [id, chunks] of Map.groupBy(found, (chunk) => chunk.documentId)) {
    const opening = cache.get(`${id} ${query}`)
    if (opening === undefined) missing.set(id, chunks)
    else openings.set(id, opening)
  }
  lookups.hits += openings.size
  lookups.misses += missing.size
  span.setAttributes({
    'rag.cache.hit': missing.size === 0,
    'rag.cache.hits': openings.size,
    'rag.cache.misses': missing.size
  })
  if (missing.size > 0 && latencyScale > 0) await wait(FETCH_MS * latencyScale)
  for (const [id, chunks] of missing) {
    const opening = readOpening(chunks)
    openings.set(id, opening)
    keepOpening(`${id} ${query}`, opening, isUnbounded)
  }
  return openings
}

function keepOpening(key: string, opening: string, isUnbounded: boolean): void {
  if (isUnbounded) {
    // fault: unbounded-document-cache
    documentCache.set(key, opening)
  } else {
    boundedDocumentCache.set(key, opening)
  }
}

/** The first chunks in one, without the words that each shares with the one before. */
function readOpening(chunks: readonly Chunk[]): string {
  const texts = chunks
    .slice(0, OPENING_CHUNKS)
    .map(({ text }, index) => (index === 0 ? text : withoutWords(text, OVERLAP_WORDS)))
  return texts.join(' ')
}

/** The text from the word after its first `count` on; nothing where it has no more. */
function withoutWords(text: string, count: number): string {
  let start = 0
  for (let word = 0; word < count; word++) {
    const space = text.indexOf(' ', start)
    if (space < 0) return ''
    start = space + 1
  }
  return text.slice(start)
}

export interface DocumentCacheSize {
  entries: number
  bytes: number
}

/** What both variants of the cache hold. */
export function measureDocumentCache(): DocumentCacheSize {
  let bytes = boundedDocumentCache.calculatedSize
  for (const [key, opening] of documentCache) bytes += sizeOf(opening, key)
  return { entries: boundedDocumentCache.size + documentCache.size, bytes }
}

/** What the variant with a limit holds. */
export function measureBoundedCacheBytes(): number {
  return boundedDocumentCache.calculatedSize
}

/** How many documents were found in either variant of the cache, and how many were not, since the start. */
export function countDocumentLookups(): Readonly<typeof lookups> {
  return lookups
}

/** Empties both variants of the cache. */
export function clearDocumentCache(): { entries: number; freedBytes: number } {
  const { entries, bytes } = measureDocumentCache()
  documentCache.clear()
  boundedDocumentCache.clear()
  return { entries, freedBytes: bytes }
}

function sizeOf(opening: string, key: string): number {
  return key.length + opening.length + ENTRY_BYTES
}
