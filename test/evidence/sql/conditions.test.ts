import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readComparisons, readSortKey } from '../../../src/evidence/sql/conditions.ts'

function keysOf(condition: string, alias = 'o'): string[][] {
  return readComparisons(condition, alias).map(({ keys }) => keys)
}

test('plain columns that are compared are keys, whichever side they stand on', () => {
  assert.deepEqual(keysOf('(o.customer_id = 5)'), [['customer_id']])
  assert.deepEqual(keysOf('(c.id = o.customer_id)'), [['customer_id']])
  assert.deepEqual(
    keysOf(`((o.customer_id = 5) AND (o."position" >= 2) AND (o.state = ANY ('{a,b}'::text[])))`),
    [['customer_id'], ['"position"'], ['state']]
  )
})

test('what no ordinary index serves has no keys', () => {
  for (const condition of [
    "(o.note ~~ '%abc'::text)",
    "(o.note ~~* 'abc%'::text)",
    "(o.words @@ '''a'''::tsquery)",
    "(o.state <> 'open'::text)",
    "(o.created = date_trunc('day'::text, o.shipped))"
  ]) {
    assert.deepEqual(keysOf(condition).flat(), [], condition)
  }
  assert.deepEqual(readComparisons('((o.a = 1) OR (o.b = 2))', 'o'), [])
  assert.deepEqual(readComparisons('(other.a = 1)', 'o'), [])
})

test('a pattern serves up to its first wildcard', () => {
  assert.deepEqual(keysOf("(o.note ~~ 'abc%'::text)"), [['note text_pattern_ops']])
})

test('a column inside a function or a cast is an expression, and a varchar is not hidden by its cast', () => {
  assert.deepEqual(keysOf("(lower(o.email) = 'a'::text)"), [['(lower(email))']])
  assert.deepEqual(keysOf("((o.code)::text = '5'::text)"), [['code', '((code)::text)']])
  assert.deepEqual(keysOf("(date_trunc('day'::text, o.at) = '2026-01-01'::date)"), [[]])
})

test('a value that looks like SQL is only a value', () => {
  assert.deepEqual(keysOf("(o.name = ') AND (o.secret = ''1''')"), [['name']])
  assert.deepEqual(keysOf('("O x"."a b" = 1)', 'O x'), [['"a b"']])
})

test('a sort key is a column of that table, or an expression of its columns, or neither', () => {
  const keysOfSort = (key: string) => readSortKey(key, 'o')?.keys
  assert.deepEqual(keysOfSort('o.created DESC'), ['created'])
  assert.deepEqual(keysOfSort('o.created DESC NULLS LAST'), ['created'])
  assert.deepEqual(keysOfSort('(lower(o.name))'), ['(lower(name))'])
  assert.deepEqual(keysOfSort("(date_trunc('day'::text, o.at))"), [])
  assert.equal(keysOfSort('(random())'), undefined)
  assert.equal(keysOfSort('c.created'), undefined)
})
