/** One slow request among many, none of them sampled: its line has to be found all the same. */
import assert from 'node:assert/strict'
import process from 'node:process'
import { after, before, test } from 'node:test'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { openEvidenceWindow } from '../../src/evidence/window.ts'
import { readMarkedLines } from '../fixtures/marked-lines.ts'
import { type SlowService, startSlowService } from '../fixtures/slow-service/server.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const CASE = 'after-an-await'
const FAST_REQUESTS = 99
/** A slow request is one that a user notices; it has to give more samples than a fault needs. */
const SLOW_MS = 300

let service: SlowService

before(async () => {
  service = await startSlowService()
})

after(() => service.close())

/** @returns the CPU time it took: on a crowded machine the clock says nothing of what a request costs */
async function send(size: number): Promise<number> {
  const before = process.threadCpuUsage()
  await fetch(`${service.url}/${CASE}?size=${size}`)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

async function findSlowSize(): Promise<number> {
  let size = 1
  // Twice: what is not optimized yet takes longer than it will.
  while (Math.min(await send(size), await send(size)) < SLOW_MS) size *= 2
  return size
}

test('one slow request in a hundred is named, with how many pay for it', async () => {
  const slowSize = await findSlowSize()
  const window = openEvidenceWindow()
  for (let i = 0; i < FAST_REQUESTS; i++) await send(0)
  await send(slowSize)
  const { findings, window: seen } = diagnose(await window.close(), {
    sources: createSourceTree(ROOT),
    minCpuMs: 20
  })
  const fault = findings.find(({ severity }) => severity === 'fault')
  const expected = readMarkedLines(ROOT, 'test/fixtures/slow-service').get(CASE)
  assert.equal(seen.requests, FAST_REQUESTS + 1)
  assert.equal(fault?.function, 'priceAfterAwait')
  assert.ok(expected?.lines.includes(fault.line ?? 0), `line ${fault.line} is none of ${expected?.lines}`)
  assert.match(fault.evidence[0] ?? '', /in 1 of 100 requests/)
})
