/**
 * N+1 and missing index told apart, over many windows at the default sampling rate: each alone, both, neither.
 * SOAK_WINDOWS sets how many windows of each (30); with TEST_DATABASE_URL also on a real PostgreSQL.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import exampleData from '../../example_data.json' with { type: 'json' }
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'
import type { FaultName } from '../../src/faults.ts'

const WINDOWS = Number(process.env.SOAK_WINDOWS ?? 30)
const ENGINES = { embedded: '', postgresql: process.env.TEST_DATABASE_URL }

function isRepeated({ calls_per_request, evidence }: Finding): boolean {
  return (calls_per_request ?? 0) >= 10 && evidence.some((text) => text.startsWith('N+1:'))
}

function isUnindexed({ plan_issues = [] }: Finding): boolean {
  return plan_issues.some(({ kind, table, columns }) => {
    return kind === 'unindexed-scan' && table === 'rag_demo.chunks' && columns.join() === 'document_id'
  })
}

/** What the faults of SQL are said to be, and anything else by its suggestion. */
function name({ findings }: Diagnosis): string {
  const names = findings
    .filter(({ kind, severity }) => kind === 'sql' && severity === 'fault')
    .map((finding) => {
      if (isRepeated(finding)) return 'N+1'
      return isUnindexed(finding) ? 'missing index' : finding.suggestion
    })
  return names.sort().join(' and ') || 'nothing'
}

for (const [engine, databaseUrl] of Object.entries(ENGINES)) {
  describe(`${WINDOWS} windows of each on ${engine}`, { skip: databaseUrl === undefined }, () => {
    let service: RunningService

    async function call(method: string, route: string, body: object): Promise<unknown> {
      const response = await fetch(new URL(route, service.url), {
        method,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body)
      })
      assert.ok(response.ok, `${method} ${route}: ${response.status} ${await response.clone().text()}`)
      return response.json()
    }

    async function diagnose(first: number): Promise<Diagnosis> {
      const pending = call('POST', '/diagnosis', { seconds: 1.5 }) as Promise<Diagnosis>
      const queries = exampleData.sample_queries
      for (let i = 0; i < 5; i++)
        await call('POST', '/query', { query: queries[(first + i) % queries.length] })
      return pending
    }

    before(async () => {
      process.env.SIMULATED_LATENCY_SCALE = '0'
      process.env.DATABASE_URL = databaseUrl
      service = await findOrStartService({
        url: undefined,
        defaultUrl: 'http://127.0.0.1:1',
        onProgress: () => {}
      })
      await call('PUT', '/faults', { enabled: false })
    })
    after(() => service.stop())

    const cases: [FaultName[], expected: string][] = [
      [[], 'nothing'],
      [['n-plus-one-queries'], 'N+1'],
      [['missing-index'], 'missing index'],
      [['n-plus-one-queries', 'missing-index'], 'N+1 and missing index']
    ]
    for (const [faults, expected] of cases) {
      test(`${faults.join(' and ') || 'no fault'}: ${expected}`, async (t) => {
        for (const fault of faults) await call('PUT', `/faults/${fault}`, { enabled: true })
        const wrong: string[] = []
        for (let window = 0; window < WINDOWS; window++) {
          const said = name(await diagnose(window))
          if (said !== expected) wrong.push(said)
        }
        for (const fault of faults) await call('PUT', `/faults/${fault}`, { enabled: false })
        t.diagnostic(`right in ${WINDOWS - wrong.length} of ${WINDOWS}`)
        assert.deepEqual(wrong, [])
      })
    }
  })
}
