import assert from 'node:assert/strict'
import { test } from 'node:test'
import { costUsd, countTokens, PLAIN_TEXT } from '../../src/pipeline/tokens.ts'

const prices = { 'gpt-4': { promptUsd: 30, completionUsd: 60 } }

test('counts as cl100k_base does, and special tokens as text', () => {
  // The example of OpenAI's own tokenizer documentation (tiktoken, cl100k_base).
  assert.equal(countTokens('tiktoken is great!', PLAIN_TEXT), 6)
  assert.equal(countTokens('', PLAIN_TEXT), 0)
  assert.ok(countTokens('<|endoftext|>', PLAIN_TEXT) > 1)
})

test('costs what the price table says for a million tokens, and null where it says nothing', () => {
  assert.equal(costUsd(prices, 'gpt-4', 1000, 0), 0.03)
  assert.equal(costUsd(prices, 'gpt-4', 0, 1000), 0.06)
  assert.equal(costUsd(prices, 'gpt-4', 0, 0), 0)
  assert.equal(costUsd(prices, 'gpt-4o', 1000, 1000), null)
  assert.equal(costUsd(prices, 'toString', 1000, 1000), null)
})
