import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Function as Fn, Line, Location, Profile, Sample, StringTable, ValueType } from 'pprof-format'
import { buildHeapFlameTree } from '../../src/evidence/heap-flame-tree.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

// The page's modules are JavaScript for the browser: without types here.
const { foldByPackage } = await import(new URL('../../src/page/heap-data.js', import.meta.url).href)

interface Node {
  name: string
  file?: string
  line?: number
  value: number
  children: Node[]
}

/** @param stacks leaf first, with the bytes that each holds */
function fold(
  stacks: { frames: [name: string, file: string, line: number][]; bytes: number }[],
  name: string
): Node {
  const strings = new StringTable()
  const fns = stacks.flatMap(({ frames }) => frames)
  const profile = new Profile({
    stringTable: strings,
    sampleType: ['objects', 'space'].map((type) => new ValueType({ type: strings.dedup(type), unit: 0 })),
    function: fns.map(
      ([name, file], index) =>
        new Fn({ id: index + 1, name: strings.dedup(name), filename: strings.dedup(file) })
    ),
    location: fns.map(
      ([, , line], index) =>
        new Location({ id: index + 1, line: [new Line({ functionId: index + 1, line })] })
    ),
    sample: stacks.map(
      ({ frames, bytes }) =>
        new Sample({ locationId: frames.map((frame) => fns.indexOf(frame) + 1), value: [1, bytes] })
    )
  })
  return foldByPackage(buildHeapFlameTree(profile, createSourceTree('/srv/app')), name)
}

test('the heap profile becomes a tree of own code with its lines, and of the packages that hold the rest', () => {
  const keep: [string, string, number] = ['keep', 'file:///srv/app/src/keep.ts', 12]
  const route: [string, string, number] = [
    '(anonymous:L#3:C#9)',
    '/srv/app/node_modules/fastify/lib/route.js',
    3
  ]
  const parse: [string, string, number] = ['parse', 'node:internal/url', 7]
  const tree: Node = fold(
    [
      { frames: [keep, route, parse], bytes: 5_000_000_000 },
      { frames: [parse, route, keep], bytes: 40 },
      { frames: [parse, route], bytes: 300 },
      { frames: [parse], bytes: 7 }
    ],
    'everything alive'
  )
  // In whichever order: the drawing sorts them.
  tree.children.sort((a, b) => b.value - a.value)
  const held = { name: 'fastify', value: 40, children: [] }
  assert.deepEqual(tree, {
    name: 'everything alive',
    value: 5e9 + 347,
    children: [
      { name: 'keep src/keep.ts:12', file: 'src/keep.ts', line: 12, value: 5e9 + 40, children: [held] },
      { name: 'fastify', value: 300, children: [] },
      { name: 'Node.js and V8', value: 7, children: [] }
    ]
  })
})

test('what was sampled twice on one path is one node', () => {
  const frames: [string, string, number][] = [
    ['keep', '/srv/app/src/keep.ts', 12],
    ['(anonymous:L#3:C#9)', '/srv/app/node_modules/fastify/lib/route.js', 3]
  ]
  const tree: Node = fold(
    [
      { frames: [...frames], bytes: 100 },
      { frames: [...frames], bytes: 20 }
    ],
    'all'
  )
  assert.deepEqual(
    tree.children.map(({ value }) => value),
    [120]
  )
})

test('where node_modules is a link to elsewhere, own files are named from the folder above them all', () => {
  const tree: Node = fold(
    [
      {
        frames: [
          ['keep', '/srv/app/src/store/keep.ts', 12],
          ['main', '/srv/app/src/main.ts', 3],
          ['route', '/opt/shared/node_modules/fastify/lib/route.js', 3]
        ],
        bytes: 100
      }
    ],
    'all'
  )
  assert.equal(tree.children[0]?.file, 'src/main.ts')
  assert.equal(tree.children[0]?.children[0]?.file, 'src/store/keep.ts')
})
