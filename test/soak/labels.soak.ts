/** Which span a sample belongs to, over many samples: in the fixture, and in the service's own stages. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import { findOrStartService } from '../../src/cli/service.ts'
import { sendSampleQueries } from '../../src/cli/traffic.ts'
import { readSamples } from '../fixtures/datadog/profile-upload.ts'
import { captureLabelledWork, workerOf } from '../fixtures/slow-service/labelled-work.ts'

const MIN_SAMPLES = 1000
const CONCURRENT_REQUESTS = 50
const PROFILE_SECONDS = 30
const MAX_PROFILES = 4
/** The function that a stage's work is in → the stage's span. */
const STAGES = new Map([
  ['retrieve', 'rag.retrieve'],
  ['loadOpenings', 'rag.cache'],
  ['rerank', 'rag.rerank'],
  ['generate', 'openai.generate']
])

test('no sample of 1,000 stands under a wrong span while 50 requests take turns', async (t) => {
  const work = await captureLabelledWork(MIN_SAMPLES)
  const labelled = work.filter(({ sample }) => sample.spanId !== undefined)
  const wrong = labelled.filter(({ sample, spanName }) => spanName !== workerOf(sample))
  t.diagnostic(`${work.length} samples, ${labelled.length} labelled, ${wrong.length} under a wrong span`)
  assert.equal(wrong.length, 0)
  assert.ok(labelled.length >= 0.95 * work.length)
})

test('95 % of the CPU of the stages is labelled under 50 concurrent queries, none with another stage', async (t) => {
  process.env.SIMULATED_LATENCY_SCALE = '0'
  process.env.FAULTS = 'none'
  const service = await findOrStartService({
    url: undefined,
    defaultUrl: 'http://127.0.0.1:1',
    onProgress: () => {}
  })
  t.after(() => service.stop())
  const counts = { stages: 0, labelled: 0, wrong: 0 }
  // A crowded machine gives a profile fewer samples.
  for (let profiles = 0; counts.stages < MIN_SAMPLES && profiles < MAX_PROFILES; profiles++) {
    addSamples(counts, await profileUnderLoad(service.url))
  }
  t.diagnostic(JSON.stringify(counts))
  assert.ok(counts.stages >= MIN_SAMPLES, `only ${counts.stages} samples in the stages`)
  assert.equal(counts.wrong, 0)
  assert.ok(counts.labelled >= 0.95 * counts.stages)
})

async function profileUnderLoad(url: string): Promise<Profile> {
  const profiled = fetch(`${url}/debug/pprof/profile?seconds=${PROFILE_SECONDS}`)
  // Of a request that is under way before the window opens there may be no span.
  await delay(500)
  const traffic = new AbortController()
  const sent = sendSampleQueries({ url, concurrency: CONCURRENT_REQUESTS, signal: traffic.signal })
  const response = await profiled
  traffic.abort()
  await sent
  assert.equal(response.status, 200)
  return Profile.decode(gunzipSync(await response.bytes()))
}

function addSamples(counts: { stages: number; labelled: number; wrong: number }, profile: Profile): void {
  for (const { functions, labels, values } of readSamples(profile)) {
    const stage = functions.map((name) => STAGES.get(name)).find((name) => name !== undefined)
    if (stage === undefined) continue
    const samples = values[0] ?? 0
    const spanName = labels['span name']
    counts.stages += samples
    if (spanName !== undefined) counts.labelled += samples
    if ([...STAGES.values()].some((name) => name === spanName && name !== stage)) counts.wrong += samples
  }
}
