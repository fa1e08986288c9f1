import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Frame } from '../../src/evidence/cpu-samples.ts'
import { findHotFunctions } from '../../src/evidence/hot-functions.ts'
import { NO_LINES } from '../../src/evidence/line-index.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { buildSpanTree } from '../../src/evidence/span-tree.ts'
import { makeSample, makeSpan } from '../fixtures/spans.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'hot-functions-'))
after(() => rmSync(directory, { recursive: true }))
const stage: Frame = { functionName: 'ask', file: path.join(directory, 'stage.ts'), startLine: 1 }
const wrapper: Frame = { functionName: 'choose', file: path.join(directory, 'wrapper.ts'), startLine: 1 }
const library: Frame = {
  functionName: 'query',
  file: path.join(directory, 'node_modules/pg/client.js'),
  startLine: 5
}
const native: Frame = { functionName: 'parse', file: '', startLine: 0 }
writeFileSync(stage.file, 'export function ask() {\n  return choose()\n}\n')
writeFileSync(wrapper.file, 'export function choose() {\n  return query()\n}\n')
const sources = createSourceTree(directory, ['wrapper.ts'])

/** @param frames leaf first */
function chargedFor(frames: Frame[]): string[] {
  const span = makeSpan({ name: 'stage', startMs: 0, endMs: 100 })
  const samples = [{ ...makeSample(10, { spanId: span.spanId }), frames }]
  return findHotFunctions(samples, buildSpanTree([span]), NO_LINES, sources).map((hot) => hot.functionName)
}

test('what a library does is charged to who called it, not to the wrapper between them', () => {
  assert.deepEqual(chargedFor([library, wrapper, stage]), ['ask'])
  assert.deepEqual(chargedFor([native, library, wrapper, stage]), ['ask'])
})

test('a wrapper is charged for what it does itself, and where nobody else is known', () => {
  assert.deepEqual(chargedFor([wrapper, stage]), ['choose'])
  assert.deepEqual(chargedFor([native, wrapper, stage]), ['choose'])
  assert.deepEqual(chargedFor([library, wrapper]), ['choose'])
})
