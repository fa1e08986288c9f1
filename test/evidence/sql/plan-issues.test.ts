import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describePlan, parsePlan } from '../../../src/evidence/sql/plan.ts'
import { readPlan } from '../../../src/evidence/sql/plan-issues.ts'

type Node = Record<string, unknown>

function makeNode(type: string, rows: number, node: Node = {}): Node {
  return {
    'Node Type': type,
    'Plan Rows': rows,
    'Actual Rows': rows,
    'Actual Loops': 1,
    'Total Cost': 100,
    ...node
  }
}

function scanOrders(rows: number, node: Node = {}): Node {
  return makeNode('Seq Scan', rows, { 'Relation Name': 'orders', Schema: 'shop', Alias: 'o', ...node })
}

function read(plan: Node) {
  return readPlan(parsePlan(JSON.stringify({ Plan: plan })))
}

function kindsOf(plan: Node): string[] {
  return read(plan).issues.map(({ kind }) => kind)
}

test('a filter that keeps little of a large table misses an index, with the columns and the rows it wastes', () => {
  const { issues, candidates, wastedRows } = read(
    scanOrders(7, { Filter: "((o.state = 'open'::text) AND (o.at > 5))", 'Rows Removed by Filter': 20_000 })
  )
  assert.deepEqual(
    issues.map(({ kind, table, columns }) => [kind, table, columns]),
    [['unindexed-scan', 'shop.orders', ['state', 'at']]]
  )
  assert.deepEqual(candidates, [
    { table: 'shop.orders', columns: ['state', 'at'], alternatives: [['state', 'at']] }
  ])
  assert.equal(wastedRows, 20_000)
  assert.doesNotMatch(JSON.stringify(issues), /open/)
})

test('a small table, and a filter that keeps much, are read as they should be', () => {
  assert.deepEqual(kindsOf(scanOrders(1, { Filter: '(o.state = 1)', 'Rows Removed by Filter': 900 })), [])
  assert.deepEqual(
    kindsOf(scanOrders(4_000, { Filter: '(o.state = 1)', 'Rows Removed by Filter': 6_000 })),
    []
  )
})

test('workers that share a scan are one scan, a scan that is run again is many', () => {
  const scan = { Filter: '(o.a = 1)', 'Rows Removed by Filter': 10_000, 'Actual Loops': 3 }
  assert.equal(read(scanOrders(0, { ...scan, 'Parallel Aware': true })).wastedRows, 30_000)
  assert.match(read(scanOrders(0, scan)).issues[0]?.message ?? '', /reads 10,000 rows .*, 3 times/)
})

test('a table read as a whole for a join that keeps little of it misses an index on the join key', () => {
  const join = (rows: number) =>
    makeNode('Hash Join', rows, {
      'Hash Cond': '(o.customer_id = c.id)',
      Plans: [scanOrders(30_000), makeNode('Hash', 3, { Plans: [makeNode('Index Scan', 3)] })]
    })
  assert.deepEqual(
    read(join(40)).candidates.map(({ columns }) => columns),
    [['customer_id']]
  )
  assert.deepEqual(read(join(20_000)).candidates, [])
})

test('spills, loops, a cartesian product, skipped and too many rows', () => {
  assert.deepEqual(kindsOf(makeNode('Sort', 9, { 'Sort Space Type': 'Disk', 'Sort Space Used': 5000 })), [
    'sort-spilled'
  ])
  assert.deepEqual(kindsOf(makeNode('Hash', 9, { 'Hash Batches': 4 })), ['hash-spilled'])
  const inner = makeNode('Index Scan', 1, { 'Actual Loops': 2_000, 'Index Cond': '(c.id = o.customer_id)' })
  assert.deepEqual(kindsOf(makeNode('Nested Loop', 2_000, { Plans: [scanOrders(2_000), inner] })), [
    'many-loops'
  ])
  const all = makeNode('Materialize', 200, { 'Actual Loops': 200 })
  assert.deepEqual(kindsOf(makeNode('Nested Loop', 40_000, { Plans: [scanOrders(200), all] })), [
    'cartesian-join',
    'many-rows'
  ])
  assert.deepEqual(kindsOf(makeNode('Limit', 20, { Plans: [makeNode('Index Scan', 5_020)] })), [
    'rows-skipped'
  ])
})

test('an estimate that is off tenfold, but not where a LIMIT stops the node early', () => {
  const wrong = scanOrders(3, { 'Plan Rows': 5_000 })
  assert.deepEqual(kindsOf(wrong), ['misestimate'])
  assert.deepEqual(kindsOf(makeNode('Limit', 3, { Plans: [wrong] })), [])
})

test('a plan is told in lines without a value', () => {
  const scan = scanOrders(7, { Filter: "(o.email = 'a@b.c'::text)", 'Rows Removed by Filter': 20 })
  assert.deepEqual(
    describePlan(parsePlan(JSON.stringify({ Plan: makeNode('Limit', 7, { Plans: [scan] }) }))),
    [
      'Limit (7 rows, 7 expected, cost 100)',
      '  Seq Scan on shop.orders (7 rows, 7 expected, 20 removed, cost 100) (o.email = ?::text)'
    ]
  )
})
