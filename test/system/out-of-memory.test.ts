/** A process whose heap is full: the profile that it writes before it dies names what filled it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import { buildHeapFlameTree, type HeapFlameNode } from '../../src/evidence/heap-flame-tree.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const HOARD = path.join(ROOT, 'test/fixtures/out-of-memory/hoard.ts')

test('before it dies of a full heap it writes a profile, and logs where', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'heap-profile-'))
  const child = spawn(process.execPath, ['--max-old-space-size=64', HOARD, directory])
  t.after(() => {
    child.kill('SIGKILL')
    rmSync(directory, { recursive: true })
  })
  let log = ''
  child.stdout.on('data', (text) => {
    log += text
  })
  const [exitCode] = await once(child, 'close')
  assert.notEqual(exitCode, 0)
  const { file } = JSON.parse(log.split('\n').find((line) => line.includes('the heap is full')) ?? '{}')
  const profile = Profile.decode(gunzipSync(readFileSync(file)))
  const tree = buildHeapFlameTree(profile, createSourceTree(ROOT))
  const bytes = bytesUnder(tree, 'keepRows')
  assert.ok(bytes > tree.value / 2, `keepRows holds ${bytes} of ${tree.value} bytes`)
})

function bytesUnder({ name, value, children }: HeapFlameNode, functionName: string): number {
  if (name.startsWith(`${functionName} `)) return value
  return children.reduce((sum, child) => sum + bytesUnder(child, functionName), 0)
}
