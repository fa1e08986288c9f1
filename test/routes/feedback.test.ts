import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { CATEGORIES } from '../../src/feedback/feedback-book.ts'
import type { TraceSpan, TraceSummary } from '../../src/telemetry/recent-traces.ts'
import { exporter, sendJson, startService, until, untilTraceEnded } from '../service.ts'

const service = await startService({ FAULTS: 'none' })
after(service.close)

const COMMENT = 'this comment names a secret'

interface Summary {
  votes: number
  up: number
  down: number
  satisfaction_score: number | null
  by_category: { category: string | null; up: number; down: number }[]
  down_voted: { trace_id: string; sampled: boolean; query: string; category: string; comment: string }[]
}

async function ask(query: string, headers: Record<string, string> = {}): Promise<string> {
  const { body } = await sendJson(`${service.url}/query`, 'POST', { query }, headers)
  return body.trace_id
}

function vote(body: unknown) {
  return sendJson<{ code?: string; message?: string }>(`${service.url}/feedback`, 'POST', body)
}

async function get<Body>(path: string): Promise<Body> {
  return (await fetch(service.url + path)).json() as Promise<Body>
}

function traceIds({ traces }: { traces: TraceSummary[] }): string[] {
  return traces.map(({ trace_id }) => trace_id)
}

test('which queries cause dissatisfaction: the votes lead to the traces and the questions', async () => {
  const retention = await ask('What are the data retention rules?')
  const logs = await ask('How long are audit logs kept?')
  const keys = await ask('Which encryption keys have to be rotated every year?', {
    traceparent: `00-${randomUUID().replaceAll('-', '')}-00f067aa0ba902b7-00`
  })
  for (const body of [
    { trace_id: retention, rating: 'up' },
    { trace_id: logs, rating: 'up' },
    { trace_id: logs, rating: 'down', category: 'outdated', comment: COMMENT },
    { trace_id: keys, rating: 'down', category: 'slow' }
  ]) {
    const { status, body: answer } = await vote(body)
    assert.deepEqual([status, answer], [202, { status: 'recorded' }])
  }
  await untilTraceEnded(logs)

  const summary = await get<Summary>('/feedback')
  assert.deepEqual([summary.votes, summary.up, summary.down], [3, 1, 2])
  assert.equal(summary.satisfaction_score, 1 / 3)
  assert.deepEqual(
    summary.down_voted.map(({ trace_id, sampled, query, category, comment }) => [
      trace_id,
      sampled,
      query,
      category,
      comment
    ]),
    [
      [keys, false, 'Which encryption keys have to be rotated every year?', 'slow', null],
      [logs, true, 'How long are audit logs kept?', 'outdated', COMMENT]
    ]
  )
  assert.deepEqual(summary.by_category.at(-1), { category: null, up: 1, down: 0 })

  assert.deepEqual(traceIds(await get('/traces?feedback=down')), [logs])
  assert.deepEqual(traceIds(await get('/traces?feedback=down&category=outdated')), [logs])
  assert.deepEqual(traceIds(await get('/traces?category=slow')), [])
  assert.deepEqual(traceIds(await get('/traces?feedback=up')), [retention])
})

test('a vote is an event of the answer, in the conventions of OpenTelemetry, and its comment is nowhere', async () => {
  const traceId = await ask('What are the data retention rules?')
  const { headers } = await vote({
    trace_id: traceId,
    rating: 'down',
    category: 'incorrect',
    comment: COMMENT
  })
  const [answered] = (await untilTraceEnded(traceId)).filter(({ name }) => name === 'POST /query')
  const expected = {
    'gen_ai.evaluation.name': 'user_feedback',
    'gen_ai.evaluation.score.label': 'down',
    'gen_ai.evaluation.score.value': 0,
    'feedback.category': 'incorrect'
  }

  const voteTraceId = headers.get('traceresponse')?.split('-')[1] ?? ''
  const [voted] = (await untilTraceEnded(voteTraceId)).filter(({ name }) => name === 'POST /feedback')
  assert.deepEqual(
    voted?.events.map(({ name, attributes }) => [name, attributes]),
    [['gen_ai.evaluation.result', expected]]
  )
  assert.equal(voted?.links[0]?.context.spanId, answered?.spanContext().spanId)

  const trace = await get<{ feedback: unknown; spans: TraceSpan[] }>(`/traces/${traceId}`)
  assert.deepEqual(trace.feedback, { rating: 'down', category: 'incorrect' })
  const root = trace.spans.find(({ name }) => name === 'POST /query')
  assert.deepEqual(root?.events.at(-1)?.attributes, expected)

  await until(() => service.logLines.some(({ url }) => url === '/feedback'))
  const spans = exporter.getFinishedSpans().map(({ attributes, events }) => ({ attributes, events }))
  assert.ok(!JSON.stringify([spans, trace, service.logLines]).includes('secret'))
})

test('a vote that cannot be taken says why', async () => {
  const trace_id = await ask('How long are audit logs kept?')
  const cases: [body: unknown, status: number, says: RegExp][] = [
    [{ trace_id: 'f'.repeat(32), rating: 'up' }, 404, /No recent answer/],
    [{ trace_id: 'nonsense', rating: 'up' }, 404, /No recent answer/],
    [{ rating: 'up' }, 400, /^body\.trace_id is missing$/],
    [{ trace_id: '', rating: 'up' }, 400, /^body\.trace_id must not be empty$/],
    [{ trace_id: 5, rating: 'up' }, 400, /^body\.trace_id must be a string$/],
    [{ trace_id }, 400, /^body\.rating must be up or down$/],
    [{ trace_id, rating: 'sideways' }, 400, /^body\.rating must be up or down$/],
    [
      { trace_id, rating: 'down', category: 'nonsense' },
      400,
      /^body\.category must be one of incorrect, irrelevant/
    ],
    [{ trace_id, rating: 'down', comment: 'x'.repeat(1001) }, 400, /^body\.comment must have at most 1000/],
    [{ trace_id, rating: 'down', comment: 5 }, 400, /^body\.comment must be a string$/],
    [[], 400, /^body must be a JSON object such as/]
  ]
  for (const [body, status, says] of cases) {
    const answer = await vote(body)
    assert.equal(answer.status, status, JSON.stringify(body))
    assert.match(answer.body.message ?? '', says)
  }
  for (const query of ['feedback=sideways', 'category=nonsense']) {
    assert.equal((await fetch(`${service.url}/traces?${query}`)).status, 400, query)
  }
})

test('every category is taken', async () => {
  const trace_id = await ask('How long are audit logs kept?')
  for (const category of CATEGORIES) {
    assert.equal((await vote({ trace_id, rating: 'down', category })).status, 202)
  }
})
