/** Which span a sample belongs to, while 50 requests take turns on the one thread. */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import type { CpuSample } from '../../src/evidence/cpu-samples.ts'
import { type Evidence, openEvidenceWindow } from '../../src/evidence/window.ts'
import { runInterleaved, WORKERS } from '../fixtures/slow-service/concurrency.ts'

const CONCURRENT_REQUESTS = 50
/** Four spans of two turns each: some 4 s of CPU for all, 400 samples. */
const TURN_MS = 10
const MIN_SAMPLES = 200
const workerNames: string[] = WORKERS.map((work) => work.name)

function calibrateTurns(): number {
  // As fast as it gets: measured before V8 has optimized it, the work would later take a fraction of the time.
  for (let i = 0; i < 200; i++) WORKERS[0]?.(10_000)
  for (let turns = 10_000; ; turns *= 2) {
    const startedAt = performance.now()
    WORKERS[0]?.(turns)
    if (performance.now() - startedAt >= TURN_MS) return turns
  }
}

async function captureConcurrentRequests(): Promise<Evidence> {
  const turns = calibrateTurns()
  const window = openEvidenceWindow()
  await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, () => runInterleaved(turns)))
  return window.close()
}

function workerOf({ frames }: CpuSample): string | undefined {
  return frames.find(({ functionName }) => workerNames.includes(functionName))?.functionName
}

test('no sample stands under a wrong span, and almost all of the work under its own', async () => {
  const { spans, samples } = await captureConcurrentRequests()
  const names = new Map(spans.map((span) => [span.spanId, span.name]))
  const ofWork = samples.filter((sample) => sample.wallMs > 0 && workerOf(sample) !== undefined)
  const labelled = ofWork.filter(({ spanId }) => spanId !== undefined)
  const wrong = labelled.filter((sample) => names.get(sample.spanId ?? '') !== workerOf(sample))
  assert.ok(ofWork.length >= MIN_SAMPLES, `only ${ofWork.length} samples`)
  assert.deepEqual(
    wrong.map((sample) => [names.get(sample.spanId ?? ''), workerOf(sample)]),
    []
  )
  assert.ok(labelled.length >= 0.95 * ofWork.length, `${labelled.length} of ${ofWork.length} labelled`)
})
