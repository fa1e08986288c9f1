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

test('an index is tried for a statement that is known, and whose plan is', async () => {
  const url = `${service.url}/debug/sql/index-advice`
  const [statement] = (await readReport()).statements
  for (const [body, status, code] of [
    [{ id: statement?.id }, 409, 'NO_PLAN'],
    [{ id: '0123456789ab' }, 404, 'UNKNOWN_STATEMENT'],
    [{ id: "'; DROP TABLE" }, 400, 'FST_ERR_VALIDATION'],
    [{ id: 7 }, 400, 'FST_ERR_VALIDATION'],
    [{}, 400, 'FST_ERR_VALIDATION'],
    [[], 400, 'FST_ERR_VALIDATION']
  ] as const) {
    const answer = await sendJson<{ code: string; message: string }>(url, 'POST', body)
    assert.deepEqual([answer.status, answer.body.code], [status, code], answer.body.message)
  }
})

test('no value of a query is in the report', async () => {
  const report = await (await fetch(`${service.url}/debug/sql`)).text()
  assert.doesNotMatch(report, /access rights/)
})
