/** Lines of inlined code, which V8 reports in the frame of the function that it was inlined into. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { locateCall, locateLines, type Place } from '../../src/evidence/inlined-lines.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

const directory = mkdtempSync(path.join(tmpdir(), 'inlined-lines-'))
after(() => rmSync(directory, { recursive: true }))
const stage = path.join(directory, 'stage.ts')
const helper = path.join(directory, 'helper.ts')
writeFileSync(
  stage,
  `import { pairs, sumPairs } from './helper.ts'
export function runStage(texts: string[]): number {
  const counts = texts.map((text) => pairs(text))
  return counts.length
}
export function runLoop(texts: string[]): number {
  let n = 0
  for (const text of texts) {
    n += text.length
  }
  return n + sumPairs(texts)
}
export function runShort(texts: string[]): number {
  return twice(texts)
}
function twice(texts: string[]): number {
  return texts.length * 2
}
`
)
writeFileSync(
  helper,
  `export function pairs(text: string): number {
  let n = 0
  for (const a of text) {
    for (const b of text) {
      if (a === b) n += 1
    }
  }
  return n
}
${'// …\n'.repeat(20)}export function sumPairs(texts: string[]): number {
  let n = 0
  for (const text of texts) n += pairs(text)
  return n
}
`
)
const sources = createSourceTree(directory)

function describe(place: Place | undefined) {
  return place && [path.basename(place.file), place.line, place.functionName, place.callLine]
}

function locateIn(functionName: string, startLine: number, line: number) {
  const frame = { functionName, file: stage, startLine }
  return describe(locateLines(frame, new Map([[line, 1]]), sources).get(line))
}

test('a line of the function itself is its own', () => {
  assert.deepEqual(locateIn('runLoop', 6, 9), ['stage.ts', 9, 'runLoop', undefined])
  assert.deepEqual(locateIn('runShort', 13, 14), ['stage.ts', 14, 'runShort', undefined])
})

test('a line outside of it is that of a function that it calls, of its file or of another', () => {
  assert.deepEqual(locateIn('runShort', 13, 17), ['stage.ts', 17, 'twice', 14])
  assert.deepEqual(locateIn('runLoop', 6, 31), ['helper.ts', 31, 'sumPairs', 11])
})

test('also of one that those call', () => {
  assert.deepEqual(locateIn('runLoop', 6, 4), ['helper.ts', 4, 'pairs', 11])
})

test('a callback is a function of its own, however short', () => {
  assert.deepEqual(locateIn('', 3, 5), ['helper.ts', 5, 'pairs', 3])
})

test('a line of its own that can take no time is the callee’s, where that has a loop there', () => {
  assert.deepEqual(locateIn('runStage', 2, 4), ['helper.ts', 4, 'pairs', 3])
  assert.deepEqual(locateIn('runStage', 2, 3), ['stage.ts', 3, 'runStage', undefined])
})

test('a line that no function of ours has is a library’s', () => {
  assert.equal(locateIn('runStage', 2, 1500), undefined)
})

test('where the function is not known the line is taken as it is', () => {
  assert.deepEqual(locateIn('', 1, 9), ['stage.ts', 9, 'runLoop', undefined])
})

test('lines that both files have are the callee’s, where the caller’s are but the head of a loop and the call', () => {
  const both = path.join(directory, 'both.ts')
  const near = path.join(directory, 'near.ts')
  writeFileSync(
    both,
    `import { pairs } from './near.ts'
export function sumPairs(texts: string[]): number {
  let n = 0
  for (const text of texts) {
    n += pairs(text)
  }
  return n
}
export function sumBoth(texts: string[]): number {
  let n = 0
  for (const text of texts) {
    n += text.length % 7
    n += pairs(text)
  }
  return n
}
`
  )
  writeFileSync(
    near,
    `export function pairs(text: string): number {
  let n = 0
  for (const a of text) {
    for (const b of text) {
      if (a === b) n += 1
      if (a > b) n += 2
      if (a < b) n -= 2
      if (a + b === text) n -= 1
      if (a + b > text) n -= 1
      if (b + a > text) n -= 1
      if (b + b > text) n -= 1
      if (a + a > text) n -= 1
    }
  }
  return n
}
`
  )
  const filesOf = (functionName: string, startLine: number, lines: [line: number, weight: number][]) =>
    [...locateLines({ functionName, file: both, startLine }, new Map(lines), sources).values()].map(
      (place) => place && path.basename(place.file)
    )
  assert.deepEqual(
    filesOf('sumPairs', 2, [
      [4, 30],
      [5, 40]
    ]),
    ['near.ts', 'near.ts']
  )
  // The caller’s own work on one of them.
  assert.deepEqual(
    filesOf('sumBoth', 9, [
      [11, 30],
      [12, 40]
    ]),
    ['both.ts', 'both.ts']
  )
  assert.deepEqual(describe(locateCall({ functionName: 'sumPairs', file: both, startLine: 2 }, 5, sources)), [
    'both.ts',
    5,
    'sumPairs',
    undefined
  ])
})
