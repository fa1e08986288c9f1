import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quoteAnswer } from '../../src/model/quote-answer.ts'

const context = [
  '[1] Retention Policy',
  'for a year. Audit logs are kept for seven years. Backups are kept for one year. Audit logs of',
  '',
  '[2] Gift Policy',
  'Gifts above 50 euros are declared. Audit logs are kept for seven years.',
  '',
  ''
].join('\n')

test('quotes the whole sentences that share the most words with the question, with their titles', () => {
  const answer = quoteAnswer(`Answer.\n\n${context}Question: How long are audit logs kept?`)
  assert.equal(
    answer,
    'According to "Retention Policy": "Audit logs are kept for seven years." ' +
      'According to "Retention Policy": "Backups are kept for one year."'
  )
})

test('says so when nothing matches, also without excerpts or question', () => {
  const nothing = 'None of the excerpts answers this question.'
  assert.equal(quoteAnswer(`Answer.\n\n${context}Question: Who feeds the parrot?`), nothing)
  assert.equal(quoteAnswer('Question: Who?'), nothing)
  assert.equal(quoteAnswer('hello'), nothing)
  assert.equal(quoteAnswer(''), nothing)
})

test('reads the last question: an excerpt or the question itself may hold the word', () => {
  const prompt = '[1] FAQ\nQuestion: Why? Gifts are declared.\n\nQuestion: Which gifts?'
  assert.equal(quoteAnswer(prompt), 'According to "FAQ": "Gifts are declared."')
})
