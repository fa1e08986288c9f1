import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { SqlReport } from '../../src/evidence/sql/report.ts'
import { sendJson, startService, untilTraceEnded } from '../service.ts'

const service = await startService({ FAULTS: 'n-plus-one-queries' })
after(() => service.close())

async function readReport(): Promise<SqlReport> {
  return (await (await fetch(`${service.url}/debug/sql`)).json()) as SqlReport
}

test('each statement with its calls per request, rows, traces and the line that sends it', async () => {
  const { body } = await sendJson(`${service.url}/query`, 'POST', {
    query: 'How often are access rights reviewed?'
  })
  await untilTraceEnded(body.trace_id)
  const { statements } = await readReport()
  const repeated = statements.find(({ statement }) => /WHERE document_id = \$1/.test(statement))
  assert.ok(repeated, JSON.stringify(statements))
  assert.equal(repeated.requests, 1)
  assert.ok(repeated.calls_per_request >= 10 && repeated.rows_per_call >= 2)
  assert.deepEqual(repeated.trace_ids, [body.trace_id])
  assert.equal(repeated.call_site?.file, 'src/pipeline/retrieve.ts')
  assert.match(repeated.call_site?.source ?? '', /client\.query.*\/\/ fault: n-plus-one-queries/)
  assert.ok(repeated.total_ms >= repeated.max_ms && repeated.max_ms >= repeated.mean_ms)
  const totals = statements.map(({ total_ms }) => total_ms)
  assert.deepEqual(
    totals,
    totals.toSorted((a, b) => b - a)
  )
})
