/** What is said of slow SQL on a real PostgreSQL. TEST_DATABASE_URL names a database made for tests. */
import '../fixtures/slow-sql/telemetry.ts'
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { planCapture } from '../../src/evidence/sql/plan-capture.ts'
import { openEvidenceWindow } from '../../src/evidence/window.ts'
import { testSlowSql } from '../fixtures/slow-sql/suite.ts'

// Behind the telemetry, which has to be there before pg is loaded.
const { default: pg } = await import('pg')
const { openDatabase } = await import('../../src/database/database.ts')
const { createIndexAdvisor } = await import('../../src/database/index-advisor.ts')

const databaseUrl = process.env.TEST_DATABASE_URL
assert.ok(databaseUrl, 'set TEST_DATABASE_URL to a database made for tests')

testSlowSql('a real PostgreSQL', () => openDatabase({ databaseUrl }))

async function runAsOwner(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

suite('a role that may only read', () => {
  const readerUrl = new URL(databaseUrl)
  readerUrl.username = 'span_to_line_reader'

  before(() =>
    runAsOwner(`
      DROP ROLE IF EXISTS span_to_line_reader;
      CREATE ROLE span_to_line_reader LOGIN;
      GRANT USAGE ON SCHEMA rag_demo TO span_to_line_reader;
      GRANT SELECT ON ALL TABLES IN SCHEMA rag_demo TO span_to_line_reader`)
  )
  after(() => runAsOwner('DROP OWNED BY span_to_line_reader; DROP ROLE span_to_line_reader'))

  test('its statements run, and why there are no plans is said', async (t) => {
    const database = await openDatabase({ databaseUrl: readerUrl.href })
    t.after(() => database.close())
    const window = openEvidenceWindow({ takesPlans: true })
    const rows = await trace.getTracer('reader').startActiveSpan('request', async (span) => {
      const result = await database.withClient((client) =>
        client.query('SELECT id FROM rag_demo.chunks WHERE document_id = 7')
      )
      span.end()
      return result.rows
    })
    const { plans, spans } = await window.close()
    assert.ok(rows.length > 0)
    assert.deepEqual(plans, [])
    assert.ok(spans.some(({ attributes }) => attributes['db.query.text']))
    assert.match(planCapture.obstacle ?? '', /^The database does not tell its plans: .*auto_explain/)
    await assert.rejects(createIndexAdvisor(database, 'on').advise('SELECT id'), { code: 'NO_PLAN' })
  })
})
