import type { Chunk } from '../../src/pipeline/types.ts'

/** Mulberry32: repeatable random numbers in [0, 1). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function makeChunk(id: number, text: string, overrides: Partial<Chunk> = {}): Chunk {
  return { id, documentId: id, title: `Policy ${id}`, position: 0, text, score: 1, ...overrides }
}

/** Windows of 55 words, 25 of them shared with the window before, over documents of random sentences. */
export function makeOverlappingChunks(count: number, random: () => number): Chunk[] {
  const chunks: Chunk[] = []
  while (chunks.length < count) {
    const documentId = chunks.length
    const words = makeSentences(60, random).split(' ')
    for (let start = 0; start + 55 <= words.length && chunks.length < count; start += 30) {
      chunks.push(makeChunk(chunks.length, words.slice(start, start + 55).join(' '), { documentId }))
    }
  }
  return chunks
}

export function makeSentences(count: number, random: () => number): string {
  const makeWord = () => 'policy'.slice(0, 1 + Math.floor(random() * 5)) + Math.floor(random() * 500)
  const makeSentence = () => `The ${Array.from({ length: 14 }, makeWord).join(' ')}.`
  return Array.from({ length: count }, makeSentence).join(' ')
}
