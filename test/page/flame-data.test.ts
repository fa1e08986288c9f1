import assert from 'node:assert/strict'
import { test } from 'node:test'

// The page's modules are JavaScript for the browser: without types here.
const { byWallTime, listSpans, toFrames, unite } = await import(
  new URL('../../src/page/flame-data.js', import.meta.url).href
)

interface Frame {
  name: string
  value: number
  total: number
  before?: number
  after?: number
  children: Frame[]
}

function own(name: string, line: number, value: number, children: object[] = []) {
  return { name: `${name} src/a.ts:${line}`, file: 'src/a.ts', line, value, children }
}

function library(name: string, value: number, children: object[] = []) {
  return { name, value, children }
}

function wrapper(name: string, value: number, children: object[] = []) {
  return { name: `${name} src/wrap.ts:1`, file: 'src/wrap.ts', line: 1, value, children }
}

const tree = library('all requests', 300, [
  library('small', 60, [own('quick', 3, 60)]),
  library('large', 240, [
    wrapper('traced', 240, [
      library('run', 230, [own('slow', 37, 230, [library('split', 30)])]),
      library('emit', 10)
    ])
  ])
])

function names(frame: Frame): string[] {
  return [frame.name, ...frame.children.flatMap(names)]
}

test('spans are listed by their time, and one of them becomes the root', () => {
  assert.deepEqual(listSpans(tree), ['large', 'small'])
  const root: Frame = toFrames(tree, { requests: 2, span: 'large' })
  assert.equal(root.name, 'large')
  assert.equal(root.total, 120)
})

test('by wall time a frame is as wide as the thread was held for it', () => {
  const held = {
    name: 'all',
    value: 10,
    wall_ms: 50,
    children: [{ name: 's', value: 10, wall_ms: 50, children: [] }]
  }
  const root: Frame = toFrames(byWallTime(held), { requests: 5, span: 's' })
  assert.equal(root.total, 10)
})

test('own code only: wrappers and what leads to own code go, what it calls stays, and no time is lost', () => {
  const root: Frame = toFrames(tree, { requests: 1, span: '', keptFiles: new Set(['src/a.ts']) })
  assert.deepEqual(names(root), [
    'all requests',
    'large',
    'slow src/a.ts:37',
    'split',
    'small',
    'quick src/a.ts:3'
  ])
  assert.equal(sumOwn(root), 300)
})

test('a wrapper that has time of its own is kept', () => {
  const busy = library('all requests', 100, [
    library('span', 100, [wrapper('traced', 100, [own('slow', 37, 50)])])
  ])
  const root: Frame = toFrames(busy, { requests: 1, span: '', keptFiles: new Set(['src/a.ts']) })
  assert.ok(names(root).includes('traced src/wrap.ts:1'))
})

test('a difference matches by function and file, not by line, and holds what only one of the two has', () => {
  const before = toFrames(
    library('all', 100, [library('span', 100, [own('slow', 37, 80), own('slow', 38, 20)])]),
    {
      requests: 1,
      span: ''
    }
  )
  const after = toFrames(
    library('all', 30, [library('span', 30, [own('slow', 52, 10), own('fast', 60, 20)])]),
    {
      requests: 1,
      span: ''
    }
  )
  const [span] = (unite(before, after) as Frame).children
  const changes = span?.children.map(({ name, before, after }) => [name, before, after])
  assert.deepEqual(changes, [
    ['slow src/a.ts:52', 100, 10],
    ['fast src/a.ts:60', 0, 20]
  ])
})

function sumOwn(frame: Frame): number {
  return frame.children.reduce((sum, child) => sum + sumOwn(child), frame.value)
}
