/** What a statement's time comes to where its plan says nothing; the plans themselves are tried on a real database. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import type { Finding } from '../../src/diagnosis/finding.ts'
import { findSqlFindings } from '../../src/diagnosis/sql-findings.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { buildSpanTree } from '../../src/evidence/span-tree.ts'
import { makeIdleSample, makeSpan } from '../fixtures/spans.ts'

const ROOT = new URL('../..', import.meta.url).pathname

/** Findings about a request that waits for the same statement so many times, each time so long. */
function findFor(calls: number, callMs: number): Finding[] {
  const stage = makeSpan({ name: 'load', endMs: calls * callMs })
  const statements = Array.from({ length: calls }, (_, i) =>
    makeSpan({
      name: 'query',
      kind: SpanKind.CLIENT,
      parentSpanId: stage.spanId,
      attributes: { 'db.query.text': 'SELECT one' },
      startMs: i * callMs,
      endMs: (i + 1) * callMs,
      startStack: `Error\n    at loadAll (file://${ROOT}src/orders.ts:47:3)`
    })
  )
  const idle = Array.from({ length: Math.floor((calls * callMs) / 10) }, (_, i) => makeIdleSample(i * 10 + 5))
  return findSqlFindings(buildSpanTree([stage, ...statements]), idle, createSourceTree(ROOT), [])
}

const describeBriefly = ({ severity, file, line }: Finding) => `${severity} ${file}:${line}`

test('a statement that takes a tenth of a second is a fault, a quicker one is told with its line, a short one is not', () => {
  assert.deepEqual(findFor(1, 150).map(describeBriefly), ['fault src/orders.ts:47'])
  assert.deepEqual(findFor(1, 60).map(describeBriefly), ['info src/orders.ts:47'])
  assert.deepEqual(findFor(1, 10).map(describeBriefly), [])
})

test('without a plan nothing is said of it', () => {
  assert.match(findFor(1, 150)[0]?.suggestion ?? '', /^Its plan is not known here/)
})

test('what repeats is told once, unless each execution is slow by itself', () => {
  assert.deepEqual(findFor(20, 10).map(describeBriefly), ['fault src/orders.ts:47'])
  assert.deepEqual(findFor(20, 150).map(describeBriefly), [
    'fault src/orders.ts:47',
    'fault src/orders.ts:47'
  ])
})
