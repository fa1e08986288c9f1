import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeBatchStatement } from '../../src/diagnosis/batch-statement.ts'

test('the key becomes an array, and is selected so that the rows can be told apart', () => {
  for (const [statement, expected] of [
    [
      'SELECT id, text FROM notes WHERE order_id = $1 ORDER BY id',
      'SELECT order_id, id, text FROM notes WHERE order_id = ANY($1) ORDER BY order_id, id'
    ],
    ['SELECT * FROM users WHERE id = ?', 'SELECT * FROM users WHERE id = ANY($1)'],
    [
      'SELECT u.id, u.name FROM users AS u WHERE u.active = true AND u.id = $1',
      'SELECT u.id, u.name FROM users AS u WHERE u.active = true AND u.id = ANY($1)'
    ],
    ['DELETE FROM notes WHERE "order id" = $1::int', 'DELETE FROM notes WHERE "order id" = ANY($1)'],
    [
      'INSERT INTO notes (id, text) VALUES ($1, $2)',
      'INSERT INTO notes (id, text) VALUES ($1, $2), ($1, $2), …'
    ]
  ] as const) {
    assert.equal(writeBatchStatement(statement), expected)
  }
  assert.match(
    writeBatchStatement('UPDATE t SET a = $1 WHERE id = $2') ?? '',
    /FROM \(VALUES .* WHERE id = changes\.key/
  )
})

test('a form that does not tell the key is left alone', () => {
  for (const statement of [
    'SELECT now()',
    'SELECT * FROM t WHERE a > $1',
    'SELECT * FROM t WHERE id = $1 LIMIT ?'
  ]) {
    assert.equal(writeBatchStatement(statement), undefined)
  }
})
