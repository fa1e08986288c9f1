import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { planCapture } from '../../../src/evidence/sql/plan-capture.ts'

afterEach(() => void planCapture.close())

function makeNotice(text: string, durationMs: number): string {
  return `duration: ${durationMs} ms  plan:\n${JSON.stringify({ 'Query Text': text, Plan: { 'Node Type': 'Result' } })}`
}

test('of each statement the slowest execution, with the span that its comment names', () => {
  planCapture.open()
  const comment = `/*traceparent='00-${'a'.repeat(32)}-${'b'.repeat(16)}-00'*/`
  planCapture.takeNotice(makeNotice(`SELECT 1 ${comment}`, 5))
  planCapture.takeNotice(
    makeNotice(`SELECT 2 /*traceparent='00-${'c'.repeat(32)}-${'d'.repeat(16)}-00'*/`, 3)
  )
  planCapture.takeNotice(makeNotice('SELECT now()', 1))
  const plans = planCapture.close()
  assert.deepEqual(
    plans.map(({ statement, durationMs, traceId, spanId }) => [statement, durationMs, traceId, spanId]),
    [
      ['SELECT ?', 5, 'a'.repeat(32), 'b'.repeat(16)],
      ['SELECT now()', 1, null, null]
    ]
  )
})

test('other notices, and those outside of a window, are left alone', () => {
  planCapture.takeNotice(makeNotice('SELECT 1', 5))
  planCapture.open()
  for (const notice of [
    '',
    'table "a" does not exist, skipping',
    'duration: 5 ms',
    'duration: 5 ms  plan:\n{'
  ]) {
    planCapture.takeNotice(notice)
  }
  assert.deepEqual(planCapture.close(), [])
})

test('more statements, or a larger plan, than are kept are only counted', () => {
  planCapture.open()
  for (let i = 0; i < 150; i++) planCapture.takeNotice(makeNotice(`SELECT column_${i}`, 1))
  planCapture.takeNotice(makeNotice(`SELECT '${'x'.repeat(300_000)}'`, 1))
  assert.equal(planCapture.close().length, 100)
  assert.equal(planCapture.dropped, 51)
})

test('where the database would not, nothing is asked again until the next window', () => {
  planCapture.open()
  planCapture.giveUp('not allowed')
  assert.equal(planCapture.isTaking, false)
  assert.equal(planCapture.obstacle, 'not allowed')
  planCapture.open()
  assert.equal(planCapture.isTaking, true)
})
