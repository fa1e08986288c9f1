/** Which span a sample belongs to, while 50 requests take turns on the one thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captureLabelledWork, workerOf } from '../fixtures/slow-service/labelled-work.ts'

const MIN_SAMPLES = 200

test('no sample stands under a wrong span, and almost all of the work under its own', async () => {
  const work = await captureLabelledWork(MIN_SAMPLES)
  const labelled = work.filter(({ sample }) => sample.spanId !== undefined)
  const wrong = labelled.filter(({ sample, spanName }) => spanName !== workerOf(sample))
  assert.deepEqual(
    wrong.map(({ sample, spanName }) => [spanName, workerOf(sample)]),
    []
  )
  assert.ok(labelled.length >= 0.95 * work.length, `${labelled.length} of ${work.length} labelled`)
})
