import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FeedbackBook, satisfactionScore } from '../../src/feedback/feedback-book.ts'

test('the last 2,000 answers can be voted on, and a vote keeps its answer for a second one', () => {
  const book = new FeedbackBook()
  for (let i = 0; i < 2000; i++) book.noteAnswer(`trace ${i}`, { query: `query ${i}` })
  assert.equal(book.record('trace 0', { rating: 'up' })?.query, 'query 0')
  for (let i = 2000; i < 2010; i++) book.noteAnswer(`trace ${i}`, { query: `query ${i}` })
  assert.equal(book.record('trace 9', { rating: 'up' }), undefined)
  assert.equal(book.record('trace 10', { rating: 'down' })?.query, 'query 10')
  assert.equal(book.record('trace 0', { rating: 'down' })?.query, 'query 0')
  assert.deepEqual(
    book.list().map(({ traceId, rating }) => [traceId, rating]),
    [
      ['trace 0', 'down'],
      ['trace 10', 'down']
    ]
  )
})

test('a thousand votes are kept, the newest', () => {
  const book = new FeedbackBook()
  for (let i = 0; i < 1100; i++) {
    book.noteAnswer(`trace ${i}`, { query: 'x'.repeat(1000) })
    book.record(`trace ${i}`, { rating: 'up' })
  }
  assert.equal(book.list().length, 1000)
  assert.equal(book.list()[0]?.traceId, 'trace 1099')
  assert.equal(book.list()[0]?.query.length, 200)
  assert.equal(book.find('trace 0'), undefined)
})

test('the satisfaction score is the share of votes that are up', () => {
  assert.equal(satisfactionScore([]), null)
  assert.equal(satisfactionScore([{ rating: 'up' }, { rating: 'down' }, { rating: 'up' }]), 2 / 3)
})
