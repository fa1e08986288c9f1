/** Leak checks of the service's own pipeline over HTTP, as `npm start` makes it, with the planted fault on and off in turn. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { quantile } from '../../bench/statistics.ts'
import type { LeakReport } from '../../src/evidence/memory/leak-report.ts'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const FAULT = 'unbounded-document-cache'
const FILE = 'src/pipeline/document-cache.ts'
/** The line of the insertion is the one after the comment that marks the fault. */
const LINES_AFTER_MARK = 2

function insertionLine(): string {
  const lines = readFileSync(path.join(import.meta.dirname, '../..', FILE), 'utf8').split('\n')
  const mark = lines.findIndex((line) => line.includes(`// fault: ${FAULT}`))
  assert.ok(mark >= 0, `no "// fault: ${FAULT}" in ${FILE}`)
  return `${FILE}:${mark + LINES_AFTER_MARK}`
}

/** @throws AssertionError on the first wrong verdict, variable or line */
export async function checkPipeline(t: TestContext, trials: number): Promise<void> {
  const { url } = await startServer()
  const allocatedAt = insertionLine()
  const durationsMs = { on: [] as number[], off: [] as number[] }

  async function check(isOn: boolean): Promise<LeakReport> {
    const { status } = await sendJson(`${url}/faults/${FAULT}`, 'PUT', { enabled: isOn })
    assert.equal(status, 200)
    const startMs = performance.now()
    const answer = await sendJson<{ leak_check: LeakReport }>(`${url}/memory/leak-check`, 'POST', {})
    durationsMs[isOn ? 'on' : 'off'].push(performance.now() - startMs)
    return answer.body.leak_check
  }

  for (let trial = 0; trial < trials; trial++) {
    const { verdict, retained_by, allocated_at } = await check(true)
    assert.deepEqual([verdict, retained_by, allocated_at], ['leak', 'documentCache', allocatedAt])
    const mended = await check(false)
    assert.ok(['bounded', 'clean'].includes(mended.verdict), `${mended.verdict}: ${mended.reason}`)
  }
  t.diagnostic(`leak, with names: ${describe(durationsMs.on)}; no leak: ${describe(durationsMs.off)}`)
}

function describe(valuesMs: number[]): string {
  const [low, median, high] = [0, 0.5, 1].map((at) => (quantile(valuesMs, at) / 1000).toFixed(2))
  return `${median} s (${low} to ${high})`
}
