import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createFaultRegistry, FAULT_NAMES, isFaultName } from '../src/faults.ts'

const repository = join(import.meta.dirname, '..')
const allMarked = FAULT_NAMES.map((name) => `// fault: ${name}\ncode()`).join('\n')

function makeSource(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'faults-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'src', 'deep'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'src', name), text)
  return root
}

test('every fault of the repository names the line of code that its comment ends or stands above', () => {
  const faults = createFaultRegistry('all').list()
  assert.deepEqual(
    faults.map(({ name }) => name),
    FAULT_NAMES
  )
  for (const { name, file, line, simulates } of faults) {
    const [above = '', code = ''] = readFileSync(join(repository, file), 'utf8')
      .split('\n')
      .slice(line - 2)
    assert.ok([above.trim(), code].some((text) => text.endsWith(`// fault: ${name}`)))
    assert.doesNotMatch(code, /^\s*(\/\/.*)?$/)
    assert.ok(simulates.length > 0)
  }
})

test('switches are live, and a snapshot keeps what a request read at its start', (t) => {
  const registry = createFaultRegistry('none', makeSource(t, { 'a.ts': allMarked }))
  const before = registry.snapshot()
  const changed = registry.set('quadratic-chunk-filter', true)
  assert.equal(changed.enabled, true)
  assert.equal(before['quadratic-chunk-filter'], false)
  assert.equal(registry.snapshot()['quadratic-chunk-filter'], true)
  assert.equal(registry.find('quadratic-chunk-filter')?.enabled, true)
  assert.equal(registry.set('quadratic-chunk-filter', false).enabled, false)
})

test('starts with all, none or the named faults on', () => {
  const isOn = (initial: Parameters<typeof createFaultRegistry>[0]) =>
    FAULT_NAMES.filter((name) => createFaultRegistry(initial).snapshot()[name])
  assert.deepEqual(isOn('all'), FAULT_NAMES)
  assert.deepEqual(isOn('none'), [])
  assert.deepEqual(isOn(['n-plus-one-queries']), ['n-plus-one-queries'])
})

test('finds comments in sub-directories, with paths relative to the root', (t) => {
  const root = makeSource(t, { 'deep/b.ts': `\n\n${allMarked}`, 'c.md': '// fault: quadratic-chunk-filter' })
  const { file, line } = createFaultRegistry('all', root).find('quadratic-chunk-filter') ?? {}
  assert.deepEqual({ file, line }, { file: 'src/deep/b.ts', line: 4 })
})

test('a comment at the end of a line of code names that line', (t) => {
  const root = makeSource(t, { 'a.ts': FAULT_NAMES.map((name) => `code() // fault: ${name}`).join('\n') })
  const lines = createFaultRegistry('all', root).list()
  assert.deepEqual(
    lines.map(({ line }) => line),
    FAULT_NAMES.map((_, index) => index + 1)
  )
})

test('knows no other names', () => {
  const registry = createFaultRegistry('all')
  for (const name of ['nope', '', 'toString', '__proto__']) {
    assert.equal(registry.find(name), undefined)
    assert.equal(isFaultName(name), false)
  }
})

test('a missing, doubled or unknown comment is an error', (t) => {
  const listOf = (text: string) => createFaultRegistry('all', makeSource(t, { 'a.ts': text })).list()
  assert.throws(() => listOf(''), /no comment "\/\/ fault: quadratic-chunk-filter" under src/)
  assert.throws(
    () => listOf(`${allMarked}\n${allMarked}`),
    /quadratic-chunk-filter is marked twice: src\/a\.ts:2, /
  )
  assert.throws(() => listOf(`${allMarked}\n// fault: nope`), /src\/a\.ts:\d+ marks an unknown fault: nope/)
})
