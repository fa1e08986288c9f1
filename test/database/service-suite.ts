/** What the whole service promises of its database, on any engine. */
import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import sampleData from '../../example_data.json' with { type: 'json' }
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'
import { type StartedServer, startServer } from '../server-process.ts'
import { type AnswerBody, sendJson } from '../service.ts'

const CONCURRENT = 200
/** Windows of each kind; `npm run soak` has thirty. */
const WINDOWS = 2
const REQUESTS_PER_WINDOW = 5

const INJECTIONS = [
  "'; DROP TABLE rag_demo.chunks; --",
  "' OR '1'='1",
  '"; DELETE FROM rag_demo.documents; --',
  "backup') UNION SELECT 1, current_user, 1 --",
  '$$; SELECT pg_sleep(30); $$',
  "\\'; TRUNCATE rag_demo.indexed_chunks; /*",
  "%' AND 1=CAST((SELECT version()) AS int) --"
]

/** @param env the service's settings: which engine it runs on */
export function testService(engine: string, env: Record<string, string>): void {
  suite(`the service on ${engine}`, () => {
    let server: StartedServer
    before(async () => {
      server = await startServer({ ...env, LOG_LEVEL: 'warn' })
    })

    function ask(query: string, headers: Record<string, string> = {}) {
      return sendJson(`${server.url}/query`, 'POST', { query }, headers)
    }

    test(`${CONCURRENT} queries at once: no error, and each its own rows`, async () => {
      const alone = new Map<string, AnswerBody>()
      for (const query of sampleData.sample_queries) alone.set(query, (await ask(query)).body)
      await Promise.all(
        Array.from({ length: CONCURRENT }, async (_, index) => {
          const query = sampleData.sample_queries[index % alone.size] as string
          const { status, body } = await ask(query)
          assert.equal(status, 200, JSON.stringify(body))
          assert.deepEqual(body.sources, alone.get(query)?.sources)
          assert.equal(body.num_results, alone.get(query)?.num_results)
        })
      )
    })

    test('SQL in any input is text: looked for, kept and found as such', async () => {
      const before = await ask('How long are backups kept?')
      for (const text of INJECTIONS) {
        const { status, body } = await sendJson(
          `${server.url}/query`,
          'POST',
          { query: text, user_id: text },
          { 'x-tenant-id': text, 'x-force-sample': '1' }
        )
        assert.equal(status, 200, JSON.stringify(body))
        const vote = { trace_id: body.trace_id, rating: 'down', comment: text }
        assert.equal((await sendJson(`${server.url}/feedback`, 'POST', vote)).status, 202)
        for (const filter of ['user_id', 'tenant_id']) {
          const found = await fetch(`${server.url}/traces?${new URLSearchParams({ [filter]: text })}`)
          const { traces } = (await found.json()) as { traces: { trace_id: string }[] }
          assert.deepEqual(
            traces.map(({ trace_id }) => trace_id),
            [body.trace_id],
            `${filter} ${text}`
          )
        }
      }
      const after = await ask('How long are backups kept?')
      assert.deepEqual(after.body.sources, before.body.sources)
      assert.ok(after.body.num_results > 0)
    })

    const cases = [
      { faults: [], expected: [] },
      { faults: ['n-plus-one-queries'], expected: ['N+1'] },
      { faults: ['missing-index'], expected: ['missing index on rag_demo.chunks.document_id'] },
      {
        faults: ['n-plus-one-queries', 'missing-index'],
        expected: ['N+1', 'missing index on rag_demo.chunks.document_id']
      }
    ]
    for (const { faults, expected } of cases) {
      test(`${faults.join(' and ') || 'no fault'} at the default rate: ${expected.join(' and ') || 'nothing'}`, async () => {
        for (const name of faults) await switchFault(server.url, name, true)
        for (let window = 0; window < WINDOWS; window++) {
          const { findings } = await diagnose(server.url, window)
          const named = findings.filter(isSqlFault).map(nameFinding).toSorted()
          assert.deepEqual(named, expected, JSON.stringify(findings, null, 2))
        }
        for (const name of faults) await switchFault(server.url, name, false)
      })
    }
  })
}

async function switchFault(url: string, name: string, enabled: boolean): Promise<void> {
  assert.equal((await sendJson(`${url}/faults/${name}`, 'PUT', { enabled })).status, 200)
}

/** Sends some queries into a window. */
export async function diagnose(url: string, first: number): Promise<Diagnosis> {
  const pending = sendJson<Diagnosis>(`${url}/diagnosis`, 'POST', { seconds: 2 })
  for (let i = 0; i < REQUESTS_PER_WINDOW; i++) {
    const query = sampleData.sample_queries[(first + i) % sampleData.sample_queries.length]
    assert.equal((await sendJson(`${url}/query`, 'POST', { query })).status, 200)
  }
  const { status, body } = await pending
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

export function isSqlFault({ kind, severity }: Finding): boolean {
  return kind === 'sql' && severity === 'fault'
}

/** What a finding about SQL says is wrong. */
export function nameFinding({ evidence, plan_issues = [], suggestion }: Finding): string {
  if (evidence.some((text) => text.startsWith('N+1:'))) return 'N+1'
  const issue = plan_issues.find(({ kind }) => kind === 'unindexed-scan')
  return issue ? `missing index on ${issue.table}.${issue.columns.join()}` : suggestion
}
