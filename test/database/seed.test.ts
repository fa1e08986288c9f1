import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import sampleData from '../../example_data.json' with { type: 'json' }
import { CHUNK_WORDS, generateDocuments, OVERLAP_WORDS, splitIntoChunks } from '../../src/database/seed.ts'

/** The window of the rerank filter: what is repeated in a shorter run of words passes it. */
const FILTER_WINDOW_WORDS = 24
/** Changes only with example_data.json or seed.ts; anything else that changes it is not deterministic. */
const EXPECTED_HASH = 'c4f9e2247f00e90a'

const documents = generateDocuments()
const chunks = documents.flatMap((document) => document.chunks)

function listWords(text: string): string[] {
  return text.split(' ')
}

function listWindows(text: string): string[] {
  const words = listWords(text)
  return words
    .slice(FILTER_WINDOW_WORDS - 1)
    .map((_, start) => words.slice(start, start + FILTER_WINDOW_WORDS).join(' '))
}

test('the same documents come out on every machine and every run', () => {
  const hash = createHash('sha256').update(JSON.stringify(documents)).digest('hex').slice(0, 16)
  assert.equal(hash, EXPECTED_HASH)
})

test('about 2,000 documents, about 20,000 chunks, 2 to 40 chunks a document', () => {
  assert.equal(documents.length, 2000)
  assert.ok(Math.abs(chunks.length - 20_000) < 1000, `${chunks.length} chunks`)
  const counts = documents.map((document) => document.chunks.length)
  assert.equal(Math.min(...counts), 2)
  assert.equal(Math.max(...counts), 40)
})

test('ids count from 1, and no two documents have the same title', () => {
  assert.deepEqual(
    documents.map((document) => document.id),
    Array.from({ length: 2000 }, (_, index) => index + 1)
  )
  assert.equal(new Set(documents.map((document) => document.title)).size, 2000)
})

test('a chunk begins with the last words of the one before', () => {
  for (const document of documents) {
    for (const [index, chunk] of document.chunks.slice(1).entries()) {
      const before = listWords(document.chunks[index] as string)
      assert.equal(before.length, CHUNK_WORDS)
      assert.deepEqual(listWords(chunk).slice(0, OVERLAP_WORDS), before.slice(-OVERLAP_WORDS))
    }
  }
})

test('the splitter loses no word and makes no chunk that the one before holds whole', () => {
  for (const count of [1, OVERLAP_WORDS, CHUNK_WORDS, CHUNK_WORDS + 1, 2 * CHUNK_WORDS, 500]) {
    const words = Array.from({ length: count }, (_, index) => `word${index}`)
    const [first = '', ...rest] = splitIntoChunks(words.join(' '))
    const joined = [first, ...rest.map((chunk) => listWords(chunk).slice(OVERLAP_WORDS).join(' '))].join(' ')
    assert.equal(joined, words.join(' '))
    for (const chunk of rest) assert.ok(listWords(chunk).length > OVERLAP_WORDS)
  }
})

test('standard clauses are shorter than the window of the filter and a third of the text', () => {
  const clauses = sampleData.standard_clauses
  for (const clause of clauses) {
    assert.ok(listWords(clause).length >= 15 && listWords(clause).length <= 20, clause)
  }
  const text = chunks.join('\n')
  const clauseCharacters = clauses.reduce(
    (sum, clause) => sum + clause.length * (text.split(clause).length - 1),
    0
  )
  const share = clauseCharacters / text.length
  assert.ok(share > 0.28 && share < 0.45, `${share} of the text`)
})

test('editions of one policy share passages longer than the window of the filter, and differ beyond them', () => {
  const editions = documents.filter((document) => document.title.startsWith('Encryption'))
  const editionsByWindow = new Map<string, Set<number>>()
  for (const { id, chunks } of editions) {
    for (const window of chunks.flatMap(listWindows)) {
      editionsByWindow.set(window, (editionsByWindow.get(window) ?? new Set()).add(id))
    }
  }
  const shared = [...editionsByWindow.values()].filter((ids) => ids.size > 1).length
  const share = shared / editionsByWindow.size
  assert.ok(share > 0.01 && share < 0.5, `${share} of the windows are shared`)
})
