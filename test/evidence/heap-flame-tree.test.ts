import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { buildHeapFlameTree } from '../../src/evidence/heap-flame-tree.ts'
import { readHeapProfile, startHeapProfiler, stopHeapProfiler } from '../../src/evidence/heap-profiler.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

function hoardRows(): unknown[] {
  return Array.from({ length: 400_000 }, function makeRow(_, id) {
    return { id, text: `row ${id}` }
  })
}

test('what is alive stands under the function that allocated it, with its callers', () => {
  startHeapProfiler()
  const rows = hoardRows()
  const tree = buildHeapFlameTree(readHeapProfile(), createSourceTree(ROOT))
  stopHeapProfiler()
  assert.equal(rows.length, 400_000)

  function find(node: typeof tree, name: string): typeof tree | undefined {
    if (node.name.startsWith(`${name} `)) return node
    return node.children.map((child) => find(child, name)).find((found) => found !== undefined)
  }
  const hoard = find(tree, 'hoardRows')
  assert.equal(hoard?.file, 'test/evidence/heap-flame-tree.test.ts')
  assert.equal(hoard?.line, 10)
  assert.ok(hoard && find(hoard, 'makeRow'), 'its callee stands below it')
  assert.ok(hoard.value > tree.value / 2 && hoard.value <= tree.value)
  assert.ok(hoard.objects > 0)
})
