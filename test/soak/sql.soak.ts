/**
 * N+1 and missing index told apart, over many windows at the default sampling rate: each alone, both, neither.
 * SOAK_WINDOWS sets how many windows of each (30); with TEST_DATABASE_URL also on a real PostgreSQL.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'
import type { FaultName } from '../../src/faults.ts'
import { diagnose, isSqlFault, nameFinding } from '../database/service-suite.ts'

const WINDOWS = Number(process.env.SOAK_WINDOWS ?? 30)
const MISSING_INDEX = 'missing index on rag_demo.chunks.document_id'
const ENGINES = { embedded: '', postgresql: process.env.TEST_DATABASE_URL }

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
      [['missing-index'], MISSING_INDEX],
      [['n-plus-one-queries', 'missing-index'], `N+1 and ${MISSING_INDEX}`]
    ]
    for (const [faults, expected] of cases) {
      test(`${faults.join(' and ') || 'no fault'}: ${expected}`, async (t) => {
        for (const fault of faults) await call('PUT', `/faults/${fault}`, { enabled: true })
        const wrong: string[] = []
        for (let window = 0; window < WINDOWS; window++) {
          const { findings } = await diagnose(service.url, window)
          const said = findings.filter(isSqlFault).map(nameFinding).sort().join(' and ') || 'nothing'
          if (said !== expected) wrong.push(said)
        }
        for (const fault of faults) await call('PUT', `/faults/${fault}`, { enabled: false })
        t.diagnostic(`right in ${WINDOWS - wrong.length} of ${WINDOWS}`)
        assert.deepEqual(wrong, [])
      })
    }
  })
}
