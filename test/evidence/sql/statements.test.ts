import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { createSourceTree } from '../../../src/evidence/source-tree.ts'
import type { RecordedSpan } from '../../../src/evidence/span-recorder.ts'
import { buildSpanTree } from '../../../src/evidence/span-tree.ts'
import {
  findRepeatedStatements,
  MIN_REPEATS,
  measureStatements
} from '../../../src/evidence/sql/statements.ts'
import { makeIdleSample, makeSample, makeSpan } from '../../fixtures/spans.ts'

const ROOT = new URL('../../..', import.meta.url).pathname
const sources = createSourceTree(ROOT)

function makeCall(parent: RecordedSpan, statement: string, span: Partial<RecordedSpan> = {}): RecordedSpan {
  return makeSpan({
    name: 'query',
    kind: SpanKind.CLIENT,
    parentSpanId: parent.spanId,
    attributes: { 'db.query.text': statement },
    ...span
  })
}

function makeRequest(calls: number): RecordedSpan[] {
  const stage = makeSpan({ name: 'load', endMs: 1000 })
  const startStack = `Error\n    at loadAll (file://${ROOT}src/orders.ts:47:3)`
  const repeated = Array.from({ length: calls }, (_, i) =>
    makeCall(stage, 'SELECT one', { startMs: i * 10, endMs: i * 10 + 5, ...(i === 0 ? { startStack } : {}) })
  )
  return [stage, makeCall(stage, 'SELECT all', { endMs: 5 }), ...repeated]
}

test('the same statement many times under one parent is found with its count, time and call site', () => {
  const tree = buildSpanTree([...makeRequest(20), ...makeRequest(40)])
  // Idle within each of the calls, which start every 10 ms and take 5.
  const idleSamples = Array.from({ length: 40 }, (_, i) => makeIdleSample(i * 10 + 2))
  assert.deepEqual(findRepeatedStatements(tree, idleSamples, sources), [
    {
      parentName: 'load',
      statement: 'SELECT one',
      callSite: { functionName: 'loadAll', file: `${ROOT}src/orders.ts`, line: 47 },
      callsPerParent: 30,
      msPerParent: 150,
      parents: 2
    }
  ])
})

test('fewer repeats, or one statement for each of many parents, is no loop', () => {
  const many = Array.from({ length: 30 }, () => makeRequest(1)).flat()
  assert.deepEqual(findRepeatedStatements(buildSpanTree(makeRequest(MIN_REPEATS - 1)), [], sources), [])
  assert.deepEqual(findRepeatedStatements(buildSpanTree(many), [], sources), [])
})

test('a statement is slow by the time the loop idles for it, not by the time the loop is busy', () => {
  const stage = makeSpan({ name: 'load', endMs: 1000 })
  const call = makeCall(stage, 'SELECT slow', { startMs: 0, endMs: 300 })
  const tree = buildSpanTree([stage, call])
  const times = Array.from({ length: 30 }, (_, i) => i * 10 + 5)
  const idle = measureStatements(tree, times.map(makeIdleSample), sources)
  assert.equal(idle[0]?.statement, 'SELECT slow')
  assert.equal(Math.round(idle[0]?.msPerCall ?? 0), 300)
  const busy = times.map((time) => makeSample(time))
  assert.equal(measureStatements(tree, busy, sources)[0]?.msPerCall, 0)
})
