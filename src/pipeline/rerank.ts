import type { FaultSwitches } from '../faults.ts'
import type { Chunk } from './types.ts'
import { contentWords } from './words.ts'

/** Two chunks overlap when this many words in a row stand in both; a splitter's overlap is 25 words. */
const WINDOW_WORDS = 24

/** How many chunks the prompt stage gets to choose from. */
export const MAX_CANDIDATES = 280

/**
 * Drops every chunk that overlaps one already kept, then orders by how many of the query's words a chunk holds,
 * weighted by its document's rank, best first. Returns MAX_CANDIDATES chunks at most.
 */
export function rerank(query: string, chunks: readonly Chunk[], faults: FaultSwitches): Chunk[] {
  const distinct = faults['quadratic-chunk-filter']
    ? filterOverlappingChunksPairwise(chunks)
    : filterOverlappingChunks(chunks)
  return orderByRelevance(query, distinct).slice(0, MAX_CANDIDATES)
}

export function filterOverlappingChunksPairwise(chunks: readonly Chunk[]): Chunk[] {
  const kept: Chunk[] = []
  const keptWords: string[][] = []
  for (const chunk of chunks) {
    const words = splitWords(chunk.text)
    if (overlapsAny(words, keptWords)) continue
    kept.push(chunk)
    keptWords.push(words)
  }
  return kept
}

function overlapsAny(words: readonly string[], others: readonly string[][]): boolean {
  for (const other of others) {
    for (let i = 0; i <= other.length - WINDOW_WORDS; i++) {
      for (let j = 0; j <= words.length - WINDOW_WORDS; j++) {
        let length = 0
        // fault: quadratic-chunk-filter
        while (length < WINDOW_WORDS && other[i + length] === words[j + length]) length++
        if (length === WINDOW_WORDS) return true
      }
    }
  }
  return false
}

export function filterOverlappingChunks(chunks: readonly Chunk[]): Chunk[] {
  const keptWindows = new Set<string>()
  const kept: Chunk[] = []
  for (const chunk of chunks) {
    const windows = listWindowsIfNew(splitWords(chunk.text), keptWindows)
    if (!windows) continue
    for (const window of windows) keptWindows.add(window)
    kept.push(chunk)
  }
  return kept
}

/** Every window of the words; undefined as soon as one of them is known, which for most chunks is the first. */
function listWindowsIfNew(words: readonly string[], known: ReadonlySet<string>): string[] | undefined {
  const text = words.join(' ')
  const windows: string[] = []
  let start = 0
  let end = words.slice(0, WINDOW_WORDS).join(' ').length
  for (let i = WINDOW_WORDS; i <= words.length; i++) {
    const window = text.slice(start, end)
    if (known.has(window)) return undefined
    windows.push(window)
    start += lengthWithSpace(words[i - WINDOW_WORDS])
    end += lengthWithSpace(words[i])
  }
  return windows
}

function lengthWithSpace(word = ''): number {
  return word.length + 1
}

function orderByRelevance(query: string, chunks: readonly Chunk[]): Chunk[] {
  const queryWords = contentWords(query)
  return chunks
    .map(function addRelevance(chunk) {
      const matches = queryWords.intersection(contentWords(chunk.text)).size
      return { chunk, relevance: chunk.score * (1 + matches) }
    })
    .sort((a, b) => b.relevance - a.relevance)
    .map(({ chunk }) => chunk)
}

function splitWords(text: string): string[] {
  return text.match(/\S+/g) ?? []
}
