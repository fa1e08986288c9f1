/** Leak checks of the service's own pipeline over HTTP, as `npm start` makes it, with the planted fault on and off in turn. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { describeSpread, spreadOf } from '../../bench/statistics.ts'
import type { LeakReport } from '../../src/evidence/memory/leak-report.ts'
import { createFaultRegistry } from '../../src/faults.ts'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const FAULT = 'unbounded-document-cache'

/** Where the comment that marks the fault says it is: on the line of the insertion. */
function insertionLine(): string {
  const fault = createFaultRegistry('none')
    .list()
    .find(({ name }) => name === FAULT)
  assert.ok(fault, FAULT)
  return `${fault.file}:${fault.line}`
}

/** @throws AssertionError on the first wrong verdict, variable or line */
export async function checkPipeline(t: TestContext, trials: number): Promise<void> {
  const { url } = await startServer()
  const allocatedAt = insertionLine()
  const durationsS = { on: [] as number[], off: [] as number[] }

  async function check(isOn: boolean): Promise<LeakReport> {
    const { status } = await sendJson(`${url}/faults/${FAULT}`, 'PUT', { enabled: isOn })
    assert.equal(status, 200)
    const startMs = performance.now()
    const answer = await sendJson<{ leak_check: LeakReport }>(`${url}/memory/leak-check`, 'POST', {})
    durationsS[isOn ? 'on' : 'off'].push((performance.now() - startMs) / 1000)
    return answer.body.leak_check
  }

  for (let trial = 0; trial < trials; trial++) {
    const { verdict, retained_by, allocated_at } = await check(true)
    assert.deepEqual([verdict, retained_by, allocated_at], ['leak', 'documentCache', allocatedAt])
    const mended = await check(false)
    assert.ok(['bounded', 'clean'].includes(mended.verdict), `${mended.verdict}: ${mended.reason}`)
  }
  const [on, off] = [durationsS.on, durationsS.off].map((each) => describeSpread(spreadOf(each)))
  t.diagnostic(`leak, with names, in s: ${on}; no leak: ${off}`)
}
