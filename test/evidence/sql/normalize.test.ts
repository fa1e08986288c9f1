import assert from 'node:assert/strict'
import { test } from 'node:test'
import { normalizeSql, statementId } from '../../../src/evidence/sql/normalize.ts'

test('values are left out wherever PostgreSQL lets one write them; names and parameters stay', () => {
  for (const [text, expected] of [
    ["SELECT a1 FROM t2 WHERE x = 5 AND y = 'it''s'", 'SELECT a1 FROM t2 WHERE x = ? AND y = ?'],
    ["SELECT E'a\\'b', $$ it's $$, $tag$ $$ $tag$, U&'d', X'1F'", 'SELECT ?, ?, ?, ?, ?'],
    ['SELECT "a\'1" FROM t WHERE id = $12 LIMIT 1.5e3', 'SELECT "a\'1" FROM t WHERE id = $12 LIMIT ?'],
    ["SELECT 1 -- don't\n, 2 /* it's */ + 3", 'SELECT ? , ? + ?'],
    ["SELECT 'never closed", 'SELECT ?'],
    ["SELECT 1 /*traceparent='00-ab-cd-01'*/", 'SELECT ?'],
    ['  SELECT\n  id\tFROM t ', 'SELECT id FROM t']
  ] as const) {
    assert.equal(normalizeSql(text), expected)
  }
})

test('lists of values have one text, however long', () => {
  const one = normalizeSql('SELECT * FROM t WHERE id IN (1, 2, 3)')
  assert.equal(normalizeSql('SELECT * FROM t WHERE id IN (7,8)'), one)
  assert.equal(
    normalizeSql("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')"),
    normalizeSql("INSERT INTO t VALUES (4, 'd'), (5, 'e')")
  )
})

test('a normalised text stays as it is, and has an id that does not change', () => {
  const statement = normalizeSql("SELECT * FROM t WHERE id IN (1, 2) AND name = 'a' AND other = $1")
  assert.equal(normalizeSql(statement), statement)
  assert.equal(statementId('SELECT ?'), statementId(normalizeSql('SELECT 1')))
  assert.match(statementId(statement), /^[0-9a-f]{12}$/)
})

test('a text of a megabyte is cut, and in no time', () => {
  const startedAt = performance.now()
  assert.equal(normalizeSql(`SELECT ${'(('.repeat(500_000)}`).length, 4000)
  assert.ok(normalizeSql(`SELECT '${'x'.repeat(1_000_000)}'`).length < 10)
  assert.ok(normalizeSql(`SELECT * FROM t WHERE id IN (${'1,'.repeat(300_000)}1)`).length < 50)
  assert.ok(performance.now() - startedAt < 5000)
})
