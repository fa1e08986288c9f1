/** The exported CPU profile, read by Go's own pprof: the first reader of this format. Needs Go on the PATH. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { exportCpuProfile } from '../../src/evidence/pprof-export.ts'
import { readMarkedLines } from '../fixtures/marked-lines.ts'
import { captureSamples } from '../fixtures/slow-service/capture.ts'
import { startSlowService } from '../fixtures/slow-service/server.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const CASE = 'after-an-await'
const SPAN = `shop.${CASE}`

function pprof(...args: string[]): string {
  return execFileSync('go', ['tool', 'pprof', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

test("Go's pprof reads the labels, the hot line and the first line of its function", async (t) => {
  const service = await startSlowService()
  const directory = mkdtempSync(path.join(tmpdir(), 'pprof-'))
  t.after(async () => {
    rmSync(directory, { recursive: true })
    await service.close()
  })
  const file = path.join(directory, 'profile')
  writeFileSync(file, exportCpuProfile(await captureSamples(service.url, CASE), SPAN))
  const tags = pprof('-tags', file)
  for (const label of ['span_id', 'trace_id', 'span name', 'trace endpoint'])
    assert.ok(tags.includes(label), tags)
  assert.ok(tags.includes(SPAN), tags)
  const top = pprof('-lines', '-top', '-sample_index=samples', file)
  const hotLine = Number(/priceAfterAwait .*slow-code\.ts:(\d+)/.exec(top)?.[1])
  assert.ok(readMarkedLines(ROOT, 'test/fixtures/slow-service').get(CASE)?.lines.includes(hotLine), top)
  // Before Go 1.21 it prints no column.
  assert.match(pprof('-raw', file), /priceAfterAwait .*slow-code\.ts:\d+(:\d+)? s=\d+/)
})
