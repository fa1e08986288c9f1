/** What is read from source text: functions, loops, call sites. */
import assert from 'node:assert/strict'
import path from 'node:path'
import { describe, test } from 'node:test'
import { findCallSite } from '../../src/evidence/call-site.ts'
import { innermost, readSourceRanges } from '../../src/evidence/source-ranges.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

const CODE = `
export function outer(items: string[]): number {
  const inner = (item: string) => {
    return item.length
  }
  for (const item of items) {
    while (inner(item) > 3) {
      items.pop()
    }
  }
  return items.map((item) => item.trim()).length
}
class Basket<T extends object> {
  #items: T[] = []
  get total(): number {
    return this.#items.length
  }
  async save() {
    await Promise.resolve()
  }
}
const table = {
  render() {
    return 1
  }
}
enum Broken { A }
`

describe('the ranges of a TypeScript source', () => {
  const { functions, loops } = readSourceRanges(CODE)
  const named = functions.filter(({ name }) => name !== '')
  const places: [line: number, name: string][] = [
    [4, 'inner'],
    [8, 'outer'],
    [11, 'outer'],
    [16, 'get total'],
    [19, 'save'],
    [24, 'render']
  ]
  for (const [line, name] of places) {
    test(`line ${line} stands in ${name}`, () => assert.equal(innermost(named, line)?.name, name))
  }

  test('the innermost loop is found, and none where there is none', () => {
    assert.deepEqual(innermost(loops, 8), { startLine: 7, endLine: 9 })
    assert.deepEqual(innermost(loops, 6), { startLine: 6, endLine: 10 })
    assert.equal(innermost(loops, 11), undefined)
  })

  test('a text that is no program has no ranges', () => {
    assert.deepEqual(readSourceRanges('function {{{ ('), { functions: [], loops: [], calls: [], imports: [] })
  })
})

describe('the call site in a stack', () => {
  const sources = createSourceTree(ROOT, ['src/telemetry/traced.ts'])
  const stack = (...frames: string[]) => `Error\n${frames.map((frame) => `    at ${frame}`).join('\n')}`
  const library = `Client.query (${ROOT}/node_modules/pg/lib/client.js:5:6)`
  const wrapper = `traced (file://${ROOT}/src/telemetry/traced.ts:12:3)`

  test('is the innermost own frame, past libraries, the runtime and wrappers', () => {
    const own = `async load (file://${ROOT}/src/pipeline/retrieve.ts:47:20)`
    const site = findCallSite(
      stack(library, 'node:internal/process/task_queues:105:5', wrapper, own),
      sources
    )
    assert.deepEqual(site, { functionName: 'load', file: `${ROOT}/src/pipeline/retrieve.ts`, line: 47 })
  })

  test('has no function name where the frame has none', () => {
    const site = findCallSite(stack(`file://${ROOT}/src/server.ts:3:1`), sources)
    assert.deepEqual(site, { functionName: null, file: `${ROOT}/src/server.ts`, line: 3 })
  })

  test('is not there where no frame is ours', () => {
    assert.equal(findCallSite(stack(library, 'new Promise (<anonymous>)'), sources), undefined)
  })
})

test('a source tree reads only what is its own', () => {
  const sources = createSourceTree(ROOT)
  assert.equal(sources.lineText('/etc/passwd', 1), null)
  assert.equal(sources.lineText(`${ROOT}/node_modules/pg/package.json`, 1), null)
  assert.equal(sources.lineText(`${ROOT}/src/nothing.ts`, 1), null)
  assert.equal(sources.lineText(`${ROOT}/package.json`, 1), '{')
})
