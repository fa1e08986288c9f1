/**
 * The diagnosis over many windows of real traffic at 10 % sampling: how often the line is right, how often a
 * healthy service is called healthy, and how long it takes. SOAK_WINDOWS sets how many windows (60).
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { after, before, describe, test } from 'node:test'
import exampleData from '../../example_data.json' with { type: 'json' }
import { findOrStartService, ROOT_DIR, type RunningService } from '../../src/cli/service.ts'
import type { Diagnosis } from '../../src/diagnosis/finding.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { createFaultRegistry, type FaultName } from '../../src/faults.ts'

const WINDOWS = Number(process.env.SOAK_WINDOWS ?? 60)
const SINGLE_REQUEST_WINDOWS = Math.ceil(WINDOWS / 3)
const TIMED_TRIALS = 3
const CPU_FAULTS: [FaultName, span: string][] = [
  ['quadratic-chunk-filter', 'rag.rerank'],
  ['slow-prompt-serialization', 'openai.generate']
]
const sources = createSourceTree(ROOT_DIR)
const places = createFaultRegistry('all')

let service: RunningService

before(async () => {
  process.env.SIMULATED_LATENCY_SCALE = '0'
  service = await startOwnService()
})

after(() => service.stop())

function startOwnService(): Promise<RunningService> {
  return findOrStartService({ url: undefined, defaultUrl: 'http://127.0.0.1:1', onProgress: () => {} })
}

async function call(method: string, route: string, body: object): Promise<unknown> {
  const response = await fetch(new URL(route, service.url), {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  assert.ok(response.ok, `${method} ${route}: ${response.status} ${await response.clone().text()}`)
  return response.json()
}

/** Sends `requests` queries one after another into a window, beginning with the `first` sample query. */
async function diagnose(
  requests: number,
  first: number,
  seconds: number
): Promise<{ diagnosis: Diagnosis; ms: number }> {
  const pending = call('POST', '/diagnosis', { seconds }) as Promise<Diagnosis>
  while (!((await (await fetch(new URL('/diagnosis', service.url))).json()) as { running: boolean }).running);
  const startedAt = performance.now()
  const queries = exampleData.sample_queries
  for (let i = 0; i < requests; i++)
    await call('POST', '/query', { query: queries[(first + i) % queries.length] })
  const diagnosis = await pending
  return { diagnosis, ms: performance.now() - startedAt }
}

function namesLine({ findings }: Diagnosis, name: FaultName, span: string): boolean {
  const place = places.find(name)
  const found = findings.find(
    (finding) => finding.kind === 'cpu' && finding.span === span && finding.severity === 'fault'
  )
  if (!place || !found?.line) return false
  const file = path.join(ROOT_DIR, place.file)
  return (
    found.file === place.file &&
    found.function === sources.functionAt(file, place.line)?.name &&
    sources.loopAt(file, found.line) !== undefined
  )
}

function describeMs(values: number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)
  return `${at(0)} / ${at(0.5)} / ${at(1)} ms (min / median / max)`
}

/** A query that costs enough for one request alone to name its lines. */
async function findCostlyQuery(): Promise<number> {
  const times: number[] = []
  for (const query of exampleData.sample_queries) {
    const startedAt = performance.now()
    await call('POST', '/query', { query })
    times.push(performance.now() - startedAt)
  }
  return times.indexOf(Math.max(...times))
}

describe(`${WINDOWS} windows`, () => {
  test('of five requests with every fault on: the lines are right in 58 of 60', async (t) => {
    await call('PUT', '/faults', { enabled: true })
    const times: number[] = []
    let right = 0
    for (let window = 0; window < WINDOWS; window++) {
      const { diagnosis, ms } = await diagnose(5, window, 30)
      times.push(ms)
      if (CPU_FAULTS.every(([name, span]) => namesLine(diagnosis, name, span))) right += 1
      else
        t.diagnostic(
          `missed: ${JSON.stringify(diagnosis.findings.map((f) => [f.span, f.function, f.line, f.samples]))}`
        )
    }
    t.diagnostic(`right in ${right} of ${WINDOWS}; from the first request to the lines ${describeMs(times)}`)
    assert.ok(right / WINDOWS >= 58 / 60)
  })

  test('of one request with every fault on: the lines are right in 18 of 20', async (t) => {
    const costly = await findCostlyQuery()
    const times: number[] = []
    let right = 0
    for (let window = 0; window < SINGLE_REQUEST_WINDOWS; window++) {
      const { diagnosis, ms } = await diagnose(1, costly, 30)
      times.push(ms)
      if (CPU_FAULTS.every(([name, span]) => namesLine(diagnosis, name, span))) right += 1
    }
    t.diagnostic(
      `right in ${right} of ${SINGLE_REQUEST_WINDOWS}; from the request to the lines ${describeMs(times)}`
    )
    assert.ok(right / SINGLE_REQUEST_WINDOWS >= 18 / 20)
  })

  test('with every fault off: always healthy', async (t) => {
    await call('PUT', '/faults', { enabled: false })
    let healthy = 0
    for (let window = 0; window < WINDOWS; window++) {
      const { diagnosis } = await diagnose(12, window, 2)
      if (diagnosis.healthy) healthy += 1
      else t.diagnostic(JSON.stringify(diagnosis.findings[0]))
    }
    t.diagnostic(`healthy in ${healthy} of ${WINDOWS}`)
    assert.equal(healthy, WINDOWS)
  })
})

/** From the start of the load to the named lines. */
describe('the time it takes', () => {
  const limits: [what: string, requests: number, maxMs: number][] = [
    ['one slow request', 1, 6_000],
    ['ten slow requests', 10, 15_000]
  ]
  for (const [what, requests, maxMs] of limits) {
    test(`${what}: at most ${maxMs / 1000} s`, async (t) => {
      await call('PUT', '/faults', { enabled: true })
      const costly = await findCostlyQuery()
      const times: number[] = []
      for (let trial = 0; trial < TIMED_TRIALS; trial++) {
        const { diagnosis, ms } = await diagnose(requests, costly, 30)
        assert.ok(CPU_FAULTS.every(([name, span]) => namesLine(diagnosis, name, span)))
        times.push(ms)
      }
      t.diagnostic(describeMs(times))
      assert.ok(Math.max(...times) <= maxMs)
    })
  }

  test('cold start and ten slow requests: at most 30 s', async (t) => {
    await service.stop()
    const startedAt = performance.now()
    service = await startOwnService()
    await call('PUT', '/faults', { enabled: true })
    const { diagnosis } = await diagnose(10, 0, 30)
    const ms = performance.now() - startedAt
    t.diagnostic(`${Math.round(ms)} ms from the start of the process to the lines`)
    assert.ok(CPU_FAULTS.every(([name, span]) => namesLine(diagnosis, name, span)))
    assert.ok(ms <= 30_000)
  })
})
