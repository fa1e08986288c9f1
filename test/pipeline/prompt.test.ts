import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFaultRegistry } from '../../src/faults.ts'
import {
  buildPrompt,
  dropRepeatedSentences,
  PROMPT_BUDGET_TOKENS,
  serializePromptByCount,
  serializePromptByTrial
} from '../../src/pipeline/prompt.ts'
import { countTokens, PLAIN_TEXT } from '../../src/pipeline/tokens.ts'
import type { Chunk } from '../../src/pipeline/types.ts'
import { fastestMs } from './fastest.ts'
import { createRandom, makeChunk, makeOverlappingChunks, makeSentences } from './sample-chunks.ts'

const allOff = createFaultRegistry('none').snapshot()
const repeatsKept = { ...allOff, 'redundant-prompt-tokens': true }

/** Text that a tokenizer may join with what stands before or after it. */
const AWKWARD = [
  ' ',
  '\n',
  '\r\n',
  '\t',
  '\u00a0',
  '\u3000',
  '.',
  '...',
  '(',
  '"',
  "'s",
  '[1]',
  '123',
  'ß',
  '日本',
  '👩‍💻'
]
const AWKWARD_WORDS = [
  ...AWKWARD,
  '<|endoftext|>',
  '\u0301',
  '\ud800',
  'word',
  'Policy',
  '--',
  '\u200b',
  '\n\n'
]

function makeAwkwardText(random: () => number): string {
  return Array.from({ length: Math.floor(random() * 60) }, () => {
    const word = AWKWARD_WORDS[Math.floor(random() * AWKWARD_WORDS.length)]
    return random() < 0.5 ? ` ${word}` : word
  }).join('')
}

test('both variants build the same prompt, whatever the text', () => {
  const random = createRandom(11)
  let cut = 0
  for (let run = 0; run < 60; run++) {
    const candidates = Array.from({ length: 40 }, (_, id) =>
      makeChunk(id, makeAwkwardText(random), { title: makeAwkwardText(random).slice(0, 20) })
    )
    const query = makeAwkwardText(random)
    const prompt = serializePromptByCount(query, candidates)
    assert.deepEqual(serializePromptByTrial(query, candidates), prompt)
    if (prompt.chunks.length < candidates.length) cut++
  }
  assert.ok(cut > 30, `${cut} prompts had to be cut`)
})

test('the prompt holds as many of the first candidates as the budget allows, and no more', () => {
  const candidates = makeOverlappingChunks(60, createRandom(2))
  const { text, chunks } = serializePromptByCount('What is kept?', candidates)
  assert.deepEqual(chunks, candidates.slice(0, chunks.length))
  assert.ok(countTokens(text, PLAIN_TEXT) <= PROMPT_BUDGET_TOKENS)
  const tokensOfNext = countTokens((candidates[chunks.length] as Chunk).text, PLAIN_TEXT)
  assert.ok(countTokens(text, PLAIN_TEXT) + tokensOfNext + 20 > PROMPT_BUDGET_TOKENS)
})

for (const serialize of [serializePromptByTrial, serializePromptByCount]) {
  test(`${serialize.name}: few candidates all fit, none gives an empty context, a huge question leaves no room`, () => {
    const few = [makeChunk(1, 'First text.'), makeChunk(2, 'Second text.')]
    const prompt = serialize('Why?', few)
    const context = '[1] Policy 1\nFirst text.\n\n[2] Policy 2\nSecond text.\n\n'
    assert.ok(prompt.text.endsWith(`\n\n${context}Question: Why?`))
    assert.equal(prompt.contextLength, context.length)
    assert.equal(serialize('Why?', []).contextLength, 0)
    assert.deepEqual(serialize('👩‍💻'.repeat(1000), few).chunks, [])
  })
}

test('counting each chunk once is at least 16 times as fast as building the prompt again and again', () => {
  const candidates = makeOverlappingChunks(150, createRandom(4))
  const slowMs = fastestMs(2, () => serializePromptByTrial('What is kept?', candidates))
  const fastMs = fastestMs(10, () => serializePromptByCount('What is kept?', candidates))
  assert.ok(slowMs / fastMs >= 16, `${(slowMs / fastMs).toFixed(1)} times as fast`)
})

test('sentences of an earlier chunk are dropped, whole or cut at an edge', () => {
  const chunks = [
    makeChunk(1, 'Logs are kept. Exceptions need approval in writing.'),
    makeChunk(2, 'approval in writing. Backups are tested. Exceptions need approval'),
    makeChunk(3, 'Exceptions need approval in writing. Logs are kept.'),
    makeChunk(4, 'Logs are kept for a year.')
  ]
  const kept = dropRepeatedSentences(chunks).map(({ id, text }) => [id, text])
  assert.deepEqual(kept, [
    [1, 'Logs are kept. Exceptions need approval in writing.'],
    [2, 'Backups are tested.'],
    [4, 'Logs are kept for a year.']
  ])
})

test('repeats are dropped after the budget is filled, so the prompt only shrinks', () => {
  const random = createRandom(9)
  const clause = makeSentences(1, random)
  const candidates = Array.from({ length: 60 }, (_, id) =>
    makeChunk(id, `${makeSentences(2, random)} ${clause}`)
  )
  const full = buildPrompt('What is kept?', candidates, repeatsKept)
  const lean = buildPrompt('What is kept?', candidates, allOff)
  assert.deepEqual(
    lean.chunks.map(({ id }) => id),
    full.chunks.map(({ id }) => id)
  )
  assert.equal(full.text.split(clause).length - 1, full.chunks.length)
  assert.equal(lean.text.split(clause).length - 1, 1)
})
