/** Diagnoses and profiles over HTTP, of the service as `npm start` makes it: what they answer, and what they refuse. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import exampleData from '../../example_data.json' with { type: 'json' }
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'
import type { Comparison } from '../../src/diagnosis/compare.ts'
import type { Diagnosis } from '../../src/diagnosis/finding.ts'
import { readSamples } from '../fixtures/datadog/profile-upload.ts'
import { until } from '../processes.ts'
import { sendJson } from '../service.ts'

let service: RunningService

before(async () => {
  process.env.SIMULATED_LATENCY_SCALE = '0'
  process.env.FAULTS = 'quadratic-chunk-filter'
  service = await findOrStartService({
    url: undefined,
    defaultUrl: 'http://127.0.0.1:1',
    onProgress: () => {}
  })
})

after(() => service.stop())

function profileUrl(query: string): string {
  return `${service.url}/debug/pprof/profile?${query}`
}

interface ErrorBody {
  code: string
  message: string
}

async function readError(response: Response): Promise<ErrorBody & { status: number }> {
  const { code, message } = (await response.json()) as ErrorBody
  return { status: response.status, code, message }
}

async function diagnose(seconds: number) {
  return sendJson<Diagnosis & ErrorBody>(`${service.url}/diagnosis`, 'POST', { seconds })
}

async function readDiagnoses() {
  const response = await fetch(`${service.url}/diagnosis`)
  return (await response.json()) as { running: boolean; diagnoses: { id: string }[] }
}

async function isRunning(): Promise<boolean> {
  return (await readDiagnoses()).running
}

async function sendQueries(): Promise<void> {
  for (const query of exampleData.sample_queries.slice(0, 3)) {
    await sendJson(`${service.url}/query`, 'POST', { query })
  }
}

async function diagnoseQueries(): Promise<Diagnosis> {
  const pending = diagnose(10)
  await until('the window is open', isRunning)
  await sendQueries()
  const { status, body } = await pending
  assert.equal(status, 200)
  return body
}

describe('a profile', () => {
  for (const seconds of ['0', '-1', '61', 'text', '', '1e400']) {
    test(`of "${seconds}" seconds is refused`, async () => {
      const error = await readError(await fetch(profileUrl(`seconds=${seconds}`)))
      assert.equal(error.status, 400)
      assert.match(error.message, /seconds must be a number from 1 to 60/)
    })
  }

  test('of a span alone holds its samples alone, under the names that readers know', async () => {
    const pending = fetch(profileUrl('seconds=3&span=rag.rerank'))
    await sendQueries()
    const response = await pending
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'application/octet-stream')
    assert.equal(response.headers.get('content-encoding'), null)
    const profile = Profile.decode(gunzipSync(await response.bytes()))
    const samples = readSamples(profile)
    assert.ok(samples.length > 0)
    for (const { labels } of samples) {
      assert.equal(labels['span name'], 'rag.rerank')
      assert.equal(labels['trace endpoint'], 'POST /query')
      assert.match(String(labels.span_id), /^[0-9a-f]{16}$/)
      assert.match(String(labels.trace_id), /^[0-9a-f]{32}$/)
    }
    assert.ok(profile.function.every(({ startLine }) => Number(startLine) >= 0))
  })

  test('of an unknown span is refused, with the spans that there were', async () => {
    const pending = fetch(profileUrl('seconds=2&span=no.such.span'))
    await sendQueries()
    const error = await readError(await pending)
    assert.deepEqual([error.status, error.code], [422, 'UNKNOWN_SPAN'])
    assert.match(error.message, /no\.such\.span/)
    assert.match(error.message, /rag\.rerank/)
  })
})

describe('a diagnosis', () => {
  test('without traffic is refused, with what to do', async () => {
    const { status, body } = await diagnose(1)
    assert.deepEqual([status, body.code], [422, 'NO_REQUESTS'])
    assert.match(body.message, /npm run diagnose/)
  })

  test('and a profile are taken one at a time', async () => {
    const first = diagnose(2)
    await until('the window is open', isRunning)
    const second = await diagnose(1)
    const profile = await readError(await fetch(profileUrl('seconds=1')))
    assert.deepEqual([second.status, second.body.code], [409, 'DIAGNOSIS_RUNNING'])
    assert.deepEqual([profile.status, profile.code], [409, 'CAPTURE_RUNNING'])
    await first
  })

  test('before and one after mending compare, both ways, by function and file', async () => {
    const before = await diagnoseQueries()
    await sendJson(`${service.url}/faults`, 'PUT', { enabled: false })
    const after = await diagnoseQueries()
    const mended = await compare(before.id, after.id)
    const broken = await compare(after.id, before.id)
    const inRerank = ({ kind, span }: Comparison['findings'][number]) =>
      kind === 'cpu' && span === 'rag.rerank'
    const [change] = mended.findings.filter(inRerank)
    assert.equal(change?.file, 'src/pipeline/rerank.ts')
    assert.ok(change.change_ms < 0, `${change.change_ms}`)
    const opposite = broken.findings.find((each) => inRerank(each) && each.function === change.function)
    assert.equal(opposite?.change_ms, -change.change_ms)
  })

  test('that is not known can not be compared', async () => {
    const response = await fetch(`${service.url}/diagnosis/compare?before=nothing&after=nothing`)
    const error = await readError(response)
    assert.deepEqual([error.status, error.code], [404, 'UNKNOWN_DIAGNOSIS'])
    assert.equal((await fetch(`${service.url}/diagnosis/compare?before=nothing`)).status, 400)
  })
})

describe('whoever leaves', () => {
  /** Begins what takes a minute, and leaves once it has begun. */
  async function beginAndLeave(url: string, init: RequestInit): Promise<void> {
    const caller = new AbortController()
    const pending = fetch(url, { ...init, signal: caller.signal })
    pending.catch(() => {})
    await until('another is refused', async () => {
      const { status, body } = await diagnose(1)
      return status === 409 && body.code === 'DIAGNOSIS_RUNNING'
    })
    caller.abort()
    await assert.rejects(pending, { name: 'AbortError' })
  }

  async function canDiagnose(): Promise<boolean> {
    return (await diagnose(1)).body.code === 'NO_REQUESTS'
  }

  test('ends a profile', async () => {
    await beginAndLeave(profileUrl('seconds=60'), {})
    await until('a window may be opened', canDiagnose)
  })

  test('ends a diagnosis, of which nothing is kept', async () => {
    const { diagnoses: before } = await readDiagnoses()
    await beginAndLeave(`${service.url}/diagnosis`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"seconds": 60}'
    })
    await until('a window may be opened', canDiagnose)
    assert.deepEqual((await readDiagnoses()).diagnoses, before)
  })
})

async function compare(before: string, after: string): Promise<Comparison> {
  const response = await fetch(`${service.url}/diagnosis/compare?before=${before}&after=${after}`)
  assert.equal(response.status, 200)
  return (await response.json()) as Comparison
}
