/** Costs that stand on a call because V8 lost the callee's frame, and those that belong where they stand. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { HotFunction } from '../../src/evidence/hot-functions.ts'
import { restoreLostFrames } from '../../src/evidence/lost-frames.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'lost-frames-'))
after(() => rmSync(directory, { recursive: true }))
const stage = path.join(directory, 'stage.ts')
const helper = path.join(directory, 'helper.ts')
writeFileSync(
  stage,
  `import { findAll, isWanted, sortAll } from './helper.ts'
export function runStage(items: number[]) {
  const found = findAll(items)
  const both = sortAll(items).concat(findAll(items))
  for (const item of items) {
    if (isWanted(item)) found.push(item)
    found.push(findAll(items).length)
  }
  return found.join(String(both))
}
export const inSpan = (fn: () => unknown) => {
  return fn()
}
export function runWrapped(items: number[]) {
  inSpan(() => {
    for (const item of items) items.includes(item)
  })
  inSpan(sortThem)
  function sortThem() {
    while (items.length > 0) items.pop()
  }
  traced('price', (total = 0) => {
    for (const item of items) total += item
    return total
  })
}
`
)
writeFileSync(
  helper,
  `export function findAll(items: number[]) {
  return items.filter(Boolean).map(function place(item) {
    let at = 0
    while (items[at] !== item) {
      at += 1
    }
    return at
  })
}
export function sortAll(items: number[]) {
  for (const item of items) items.push(item)
  return items
}
export function isWanted(item: number) {
  return item % 2 === 0
}
`
)
const sources = createSourceTree(directory)

function hotOn(
  file: string,
  functionName: string,
  line: number,
  costMs: number,
  above: number[] = []
): HotFunction {
  return {
    spanName: 'stage',
    functionName,
    file,
    samples: costMs / 10,
    costMs,
    blockedMs: 0,
    gcMs: 0,
    costByRequest: new Map([['request', costMs]]),
    lines: new Map([[line, costMs]]),
    resolvedShare: 1,
    callees: new Map(),
    chain: [
      ...above.map((callLine) => ({ functionName: 'runStage', file: stage, line: callLine })),
      { functionName, file, line }
    ]
  }
}

function restore(...hotFunctions: HotFunction[]) {
  return restoreLostFrames(hotFunctions, sources).map((hot) => [
    hot.functionName,
    path.basename(hot.file ?? ''),
    [...hot.lines.keys()],
    hot.costMs
  ])
}

test('on a line outside of any loop, the one function with a loop that it calls', () => {
  assert.deepEqual(restore(hotOn(stage, 'runStage', 3, 900)), [['findAll', 'helper.ts', [4], 900]])
})

test('of two such functions none is picked', () => {
  assert.deepEqual(restore(hotOn(stage, 'runStage', 4, 900)), [['runStage', 'stage.ts', [4], 900]])
})

test('a line in a loop of its own stays, unless samples show what it calls', () => {
  assert.deepEqual(restore(hotOn(stage, 'runStage', 7, 900)), [['runStage', 'stage.ts', [7], 900]])
  assert.deepEqual(restore(hotOn(stage, 'runStage', 7, 900), hotOn(helper, 'findAll', 4, 20, [7])), [
    ['findAll', 'helper.ts', [4], 920]
  ])
})

test('a loop that calls a function without one keeps its cost', () => {
  assert.deepEqual(restore(hotOn(stage, 'runStage', 6, 900), hotOn(helper, 'isWanted', 15, 300, [6])), [
    ['runStage', 'stage.ts', [6], 900],
    ['isWanted', 'helper.ts', [15], 300]
  ])
})

test('what is called from another line, or costs in native code beneath the line, is no callee', () => {
  const native = { ...hotOn(stage, 'runStage', 3, 900), callees: new Map([['sort', 800]]) }
  assert.deepEqual(restore(native, hotOn(helper, 'sortAll', 11, 20, [4])), [
    ['runStage', 'stage.ts', [3], 900],
    ['sortAll', 'helper.ts', [11], 20]
  ])
})

test('the cheaper part of a function that was inlined into its caller joins it', () => {
  assert.deepEqual(restore(hotOn(helper, 'findAll', 4, 900, [3]), hotOn(stage, 'runStage', 3, 200)), [
    ['findAll', 'helper.ts', [4], 1100]
  ])
})

test('where the line calls a parameter, the function that was passed further out', () => {
  const inSpanOf = (line: number) => hotOn(stage, 'inSpan', 12, 900, [line])
  assert.deepEqual(restore(inSpanOf(15)), [['runWrapped', 'stage.ts', [16], 900]])
  assert.deepEqual(restore(inSpanOf(18)), [['sortThem', 'stage.ts', [20], 900]])
})

test('where an await has cut the stack, the function that was passed with the name of the span', () => {
  const cut = { ...hotOn(stage, 'inSpan', 12, 900), spanName: 'price' }
  assert.deepEqual(restore(cut), [['runWrapped', 'stage.ts', [23], 900]])
})

test('a function that was seen on no line stands in its only loop, not where it begins', () => {
  const unseen = (fn: HotFunction) => ({ ...fn, lines: new Map<number, number>(), resolvedShare: 0 })
  const [hot] = restoreLostFrames(
    [hotOn(stage, 'runStage', 3, 900), unseen(hotOn(helper, 'findAll', 1, 20, [3]))],
    sources
  )
  assert.deepEqual([hot?.functionName, hot?.costMs, hot?.chain.at(-1)?.line], ['findAll', 920, 4])
  // No share of its time is said to be on that line.
  assert.deepEqual([hot?.lines.size, hot?.resolvedShare], [0, 0])
  const withoutLoop = unseen(hotOn(helper, 'isWanted', 14, 300))
  assert.deepEqual(restoreLostFrames([withoutLoop], sources), [withoutLoop])
})
