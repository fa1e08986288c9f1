import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createAdmission } from '../../src/admission.ts'
import { CostLedger } from '../../src/costs/cost-ledger.ts'
import { startHeapWatch } from '../../src/evidence/heap-watch.ts'
import { createFaultRegistry } from '../../src/faults.ts'
import { FeedbackBook } from '../../src/feedback/feedback-book.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { Backend } from '../../src/telemetry/backend.ts'
import { HourCount } from '../../src/telemetry/hour-count.ts'
import { RecentTraces } from '../../src/telemetry/recent-traces.ts'

const OPEN_METRICS = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
const USAGE = {
  model: 'gpt-4',
  prompt_tokens: 1000,
  repeated_prompt_tokens: 400,
  completion_tokens: 100,
  cost_usd: 0.036
}
const PRICES = {
  'gpt-4': { promptUsd: 30, completionUsd: 60 },
  'gpt-4o': { promptUsd: 2.5, completionUsd: 10 }
}

const heapWatch = startHeapWatch()
after(() => heapWatch.stop())

function createSubject() {
  const costs = new CostLedger(PRICES, { acme: 'enterprise' })
  const feedback = new FeedbackBook()
  const faults = createFaultRegistry(['missing-index'])
  const admission = createAdmission({ maxConcurrent: 1, maxWaiting: 1, maxWaitMs: 1000 })
  const backend = new Backend('otlp', { export: () => {}, shutdown: async () => {} })
  const telemetry = {
    recentTraces: new RecentTraces(),
    requestCount: new HourCount(),
    backends: [backend],
    shutdown: async () => {}
  }
  return {
    costs,
    feedback,
    metrics: createMetrics({ admission, costs, feedback, faults, heapWatch, telemetry })
  }
}

/** Every sample by its name and labels, as it stands in the text. */
function readSamples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const sample = line.split(' # ')[0] ?? ''
      const end = sample.lastIndexOf(' ')
      return [sample.slice(0, end), Number(sample.slice(end + 1))]
    })
  )
}

test('cost, tokens, cache, faults, spans and feedback are there, with their units in their names', async () => {
  const { costs, feedback, metrics } = createSubject()
  costs.add(USAGE, 'acme')
  costs.add(USAGE, undefined)
  for (const traceId of ['a', 'b', 'c']) feedback.noteAnswer(traceId, { query: 'why?' })
  feedback.record('a', { rating: 'up' })
  feedback.record('b', { rating: 'up' })
  feedback.record('b', { rating: 'down', category: 'slow' })
  metrics.observeStages([{ name: 'rag.retrieve', duration_ms: 40 }])
  metrics.countError('MODEL_TIMEOUT')

  const { contentType, text } = await metrics.expose(undefined)
  assert.match(contentType, /^text\/plain; version=0\.0\.4/)
  const samples = readSamples(text)
  const expected: [string, number][] = [
    ['rag_queries_waiting', 0],
    ['rag_queries_refused_total', 0],
    ['rag_queries_total{plan="enterprise",model="gpt-4"}', 1],
    ['rag_tokens_total{kind="prompt",plan="free",model="gpt-4"}', 1000],
    ['rag_tokens_total{kind="completion",plan="free",model="gpt-4"}', 100],
    ['rag_repeated_prompt_tokens_total{plan="free",model="gpt-4"}', 400],
    ['rag_cost_usd_total{plan="enterprise",model="gpt-4"}', 0.036],
    ['rag_cost_with_model_usd_total{model="gpt-4o"}', 0.007],
    ['rag_feedback_votes{rating="up",category="none"}', 1],
    ['rag_feedback_votes{rating="down",category="slow"}', 1],
    ['rag_satisfaction_score', 0.5],
    ['rag_fault_enabled{fault="missing-index"}', 1],
    ['rag_fault_enabled{fault="n-plus-one-queries"}', 0],
    ['rag_stage_duration_seconds_bucket{le="0.05",stage="rag.retrieve"}', 1],
    ['rag_stage_duration_seconds_sum{stage="rag.retrieve"}', 0.04],
    ['http_request_errors_total{code="MODEL_TIMEOUT"}', 1],
    ['apm_spans_dropped_total{backend="otlp"}', 0]
  ]
  for (const [name, value] of expected) assert.equal(samples.get(name), value, name)
  for (const name of ['rag_heap_growth_bytes', 'nodejs_eventloop_lag_p99_seconds', 'rag_cache_size_bytes']) {
    assert.ok(samples.has(name), name)
  }
})

test('what is not known yet is NaN: satisfaction without a vote; and growth is not reliable after seconds', async () => {
  const samples = readSamples((await createSubject().metrics.expose(undefined)).text)
  assert.equal(samples.get('rag_heap_growth_reliable'), 0)
  assert.ok(samples.has('rag_heap_growth_bytes_per_hour{bound="low"}'))
  assert.ok(Number.isNaN(samples.get('rag_satisfaction_score')))
  assert.equal(samples.get('rag_feedback_votes{rating="down",category="slow"}'), 0)
})

test('OpenMetrics is for who asks for it, and leaves the other format as it was', async () => {
  const { costs, metrics } = createSubject()
  costs.add(USAGE, undefined)
  const before = readSamples((await metrics.expose('text/plain')).text)
  const open = await metrics.expose(OPEN_METRICS)
  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/)
  assert.match(open.text, /^# TYPE rag_cost_usd counter$/m)
  assert.ok(open.text.endsWith('# EOF\n'))
  const after = readSamples((await metrics.expose('text/plain')).text)
  assert.deepEqual([...after.keys()], [...before.keys()])
  assert.deepEqual([...readSamples(open.text).keys()], [...before.keys()])
})

test('2,000 tenants, traces, queries and comments add no series', async () => {
  const { costs, feedback, metrics } = createSubject()
  async function countSeries(from: number, to: number): Promise<number> {
    for (let i = from; i < to; i++) {
      costs.add(USAGE, `tenant ${i}`)
      feedback.noteAnswer(`trace ${i}`, { query: `query ${i}` })
      feedback.record(`trace ${i}`, { rating: 'up', comment: `comment ${i}` })
    }
    return readSamples((await metrics.expose(undefined)).text).size
  }
  const one = await countSeries(0, 1)
  assert.equal(await countSeries(1, 2000), one)
})
