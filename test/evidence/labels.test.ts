/** Which span a sample belongs to, while 50 requests take turns on the one thread. */
import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import { test } from 'node:test'
import type { CpuSample } from '../../src/evidence/cpu-samples.ts'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { openEvidenceWindow } from '../../src/evidence/window.ts'
import { runInterleaved, WORKERS } from '../fixtures/slow-service/concurrency.ts'

const CONCURRENT_REQUESTS = 50
/** Four spans of two turns each: some 2 s of CPU for all, 200 samples. */
const TURN_MS = 5
const MIN_SAMPLES = 200
const MAX_WINDOWS = 6
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

async function captureConcurrentRequests(turns: number): Promise<Evidence> {
  const window = openEvidenceWindow()
  await Promise.all(Array.from({ length: CONCURRENT_REQUESTS }, () => runInterleaved(turns)))
  return window.close()
}

/** A crowded machine gives a window fewer samples: takes as many windows as it needs. */
async function captureWork(): Promise<{ sample: CpuSample; spanName: string | undefined }[]> {
  const turns = calibrateTurns()
  const found: { sample: CpuSample; spanName: string | undefined }[] = []
  for (let windows = 0; found.length < MIN_SAMPLES && windows < MAX_WINDOWS; windows++) {
    const { spans, samples } = await captureConcurrentRequests(turns)
    const names = new Map(spans.map((span) => [span.spanId, span.name]))
    for (const sample of samples) {
      if (sample.wallMs === 0 || workerOf(sample) === undefined) continue
      found.push({ sample, spanName: names.get(sample.spanId ?? '') })
    }
  }
  return found
}

function workerOf({ frames }: CpuSample): string | undefined {
  return frames.find(({ functionName }) => workerNames.includes(functionName))?.functionName
}

test('no sample stands under a wrong span, and almost all of the work under its own', async () => {
  const work = await captureWork()
  const labelled = work.filter(({ sample }) => sample.spanId !== undefined)
  const wrong = labelled.filter(({ sample, spanName }) => spanName !== workerOf(sample))
  assert.ok(work.length >= MIN_SAMPLES, `only ${work.length} samples`)
  assert.deepEqual(
    wrong.map(({ sample, spanName }) => [spanName, workerOf(sample)]),
    []
  )
  assert.ok(labelled.length >= 0.95 * work.length, `${labelled.length} of ${work.length} labelled`)
})
