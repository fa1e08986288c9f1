import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import sampleData from '../../example_data.json' with { type: 'json' }
import { type Database, openDatabase } from '../../src/database/database.ts'
import { createFaultRegistry, type FaultName } from '../../src/faults.ts'
import { type ModelClient, ModelUnavailableError } from '../../src/model/client.ts'
import { quoteAnswer } from '../../src/model/quote-answer.ts'
import { answerQuery, type PipelineDeps } from '../../src/pipeline/answer-query.ts'
import { clearDocumentCache } from '../../src/pipeline/document-cache.ts'
import { PROMPT_BUDGET_TOKENS } from '../../src/pipeline/prompt.ts'
import { countTokens, PLAIN_TEXT } from '../../src/pipeline/tokens.ts'
import { recordSpans } from './recorded-spans.ts'

const query = 'How are vendors assessed before they process personal data?'
const caller = { userId: 'ada', tenantId: 'acme' }
const stageNames = ['rag.retrieve', 'rag.cache', 'rag.rerank', 'openai.generate']
const takeSpans = recordSpans()
let database: Database

before(async () => {
  database = await openDatabase({})
})
after(() => database?.close())
beforeEach(() => {
  takeSpans()
  clearDocumentCache()
})

/** Answers as the simulated model does, at once. */
const quotingModel: ModelClient = {
  model: 'gpt-4',
  async complete(prompt) {
    const text = quoteAnswer(prompt)
    const [promptTokens, completionTokens] = [countTokens(prompt, PLAIN_TEXT), countTokens(text, PLAIN_TEXT)]
    return { text, model: 'gpt-4-0613', promptTokens, repeatedPromptTokens: 0, completionTokens }
  }
}

function makeDeps(faults: 'all' | 'none' | FaultName[], more: Partial<PipelineDeps> = {}): PipelineDeps {
  return {
    database,
    model: quotingModel,
    prices: { 'gpt-4': { promptUsd: 30, completionUsd: 60 } },
    faults: createFaultRegistry(faults).snapshot(),
    latencyScale: 0,
    captureContent: false,
    ...more
  }
}

function spanNamed(spans: ReadableSpan[], name: string): ReadableSpan {
  const span = spans.find((each) => each.name === name)
  assert.ok(span, `no span ${name}`)
  return span
}

test('answers every sample query by quoting its sources', async () => {
  for (const sample of sampleData.sample_queries) {
    const { response, sources, ...answer } = await answerQuery(sample, caller, makeDeps('none'))
    const quotes = [...response.matchAll(/According to "(.+?)": "(.+?)"/g)]
    assert.ok(quotes.length > 0, `${sample}: ${response}`)
    const titles = sources.map(({ title }) => title)
    for (const [, title = ''] of quotes)
      assert.ok(titles.includes(title), `${title} is no source of: ${sample}`)
    assert.ok(answer.num_results >= sources.length)
    assert.ok(answer.context_length > 1000)
    assert.ok(answer.usage.prompt_tokens <= PROMPT_BUDGET_TOKENS)
    for (const { excerpt } of sources) assert.match(excerpt, /^This \S+/)
    const scores = sources.map(({ score }) => score)
    assert.deepEqual(
      scores,
      scores.toSorted((a, b) => b - a)
    )
  }
})

test('the faults change what an answer costs, not what it says', async () => {
  const { stages: _, ...fixed } = await answerQuery(query, caller, makeDeps(['redundant-prompt-tokens']))
  const { stages, ...naive } = await answerQuery(query, caller, makeDeps('all'))
  assert.deepEqual(naive, fixed)
  assert.deepEqual(
    stages.map(({ name }) => name),
    stageNames
  )
  for (const { duration_ms } of stages) assert.ok(duration_ms >= 0)
})

test('without the repeated sentences prompts are at least a quarter smaller, and no source is lost', async () => {
  const full = await answerQuery(query, caller, makeDeps(['redundant-prompt-tokens']))
  const lean = await answerQuery(query, caller, makeDeps('none'))
  const ratio = lean.usage.prompt_tokens / full.usage.prompt_tokens
  assert.ok(ratio < 0.75, `${lean.usage.prompt_tokens} of ${full.usage.prompt_tokens} tokens`)
  assert.ok((lean.usage.cost_usd ?? 1) < (full.usage.cost_usd ?? 0))
  assert.deepEqual(lean.sources, full.sources)
})

test('of some 1,800 prompt tokens of a sample query about 800 are repeats', async () => {
  const repeats: number[] = []
  for (const sample of sampleData.sample_queries) {
    const full = await answerQuery(sample, caller, makeDeps(['redundant-prompt-tokens']))
    const lean = await answerQuery(sample, caller, makeDeps('none'))
    assert.ok(full.usage.prompt_tokens > 0.9 * PROMPT_BUDGET_TOKENS, `${full.usage.prompt_tokens}: ${sample}`)
    repeats.push(full.usage.prompt_tokens - lean.usage.prompt_tokens)
  }
  const mean = repeats.reduce((sum, count) => sum + count, 0) / repeats.length
  assert.ok(mean > 700 && mean < 900, repeats.join(', '))
})

test('each stage has a span with the caller, its size, and the faults that act in it', async () => {
  const answer = await answerQuery(query, caller, makeDeps('all'))
  const spans = takeSpans()
  for (const name of stageNames) {
    const { attributes } = spanNamed(spans, name)
    assert.equal(attributes['query.length'], query.length)
    assert.equal(attributes['user.id'], 'ada')
    assert.equal(attributes.user_id, 'ada')
    assert.equal(attributes['tenant.id'], 'acme')
  }
  const faultsOf = (name: string) =>
    spanNamed(spans, name)
      .events.filter((event) => event.name === 'feature_flag.evaluation')
      .map(({ attributes }) => [attributes?.['feature_flag.key'], attributes?.['feature_flag.result.value']])
  assert.deepEqual(stageNames.map(faultsOf), [
    [
      ['n-plus-one-queries', true],
      ['missing-index', true]
    ],
    [['unbounded-document-cache', true]],
    [['quadratic-chunk-filter', true]],
    [
      ['slow-prompt-serialization', true],
      ['redundant-prompt-tokens', true]
    ]
  ])
  const retrieve = spanNamed(spans, 'rag.retrieve').attributes
  const rerank = spanNamed(spans, 'rag.rerank').attributes
  assert.equal(retrieve['rag.documents'], answer.num_results)
  assert.equal(retrieve['rag.candidates'], rerank['rag.candidates'])
  const { attributes } = spanNamed(spans, 'openai.generate')
  assert.ok(Number(attributes['rag.candidates']) > 0)
  assert.deepEqual(
    [attributes['llm.model'], attributes['gen_ai.request.model'], attributes['gen_ai.response.model']],
    ['gpt-4', 'gpt-4', 'gpt-4-0613']
  )
  const { usage } = answer
  for (const [ours, theirs, value] of [
    ['llm.prompt_tokens', 'gen_ai.usage.input_tokens', usage.prompt_tokens],
    ['llm.completion_tokens', 'gen_ai.usage.output_tokens', usage.completion_tokens]
  ] as const) {
    assert.deepEqual([attributes[ours], attributes[theirs]], [value, value])
  }
  assert.equal(attributes.cost_usd, usage.cost_usd)
})

test('with the faults off no span tells of one', async () => {
  await answerQuery(query, { userId: 'ada' }, makeDeps('none'))
  for (const { events, attributes } of takeSpans()) {
    assert.deepEqual(events, [])
    assert.ok(!('tenant.id' in attributes))
  }
})

test('question, prompt and answer stand in no span, unless they are asked for', async () => {
  const { response } = await answerQuery(query, caller, makeDeps('all'))
  const silent = JSON.stringify(takeSpans().map(({ attributes, events }) => ({ attributes, events })))
  for (const text of [query, response.slice(0, 40)]) assert.ok(!silent.includes(text))

  await answerQuery(query, caller, makeDeps('none', { captureContent: true }))
  const { attributes } = spanNamed(takeSpans(), 'openai.generate')
  const [input] = JSON.parse(String(attributes['gen_ai.input.messages']))
  const [output] = JSON.parse(String(attributes['gen_ai.output.messages']))
  assert.ok(input.parts[0].content.endsWith(`Question: ${query}`))
  assert.ok(output.parts[0].content.startsWith('According to'))
})

test('where no document matches the model is not asked', async () => {
  const model: ModelClient = { model: 'gpt-4', complete: () => assert.fail('it was asked') }
  const answer = await answerQuery('xylophone quokka', caller, makeDeps('all', { model }))
  assert.deepEqual(
    { ...answer, stages: answer.stages.map(({ name }) => name) },
    {
      response: 'No document matches this question.',
      context_length: 0,
      num_results: 0,
      stages: ['rag.retrieve'],
      sources: [],
      usage: {
        model: 'gpt-4',
        prompt_tokens: 0,
        repeated_prompt_tokens: 0,
        completion_tokens: 0,
        cost_usd: 0
      }
    }
  )
})

test("the model's failure ends the request, on the right span", async () => {
  const failure = new ModelUnavailableError('MODEL_UNREACHABLE', 'no model', undefined)
  const model: ModelClient = { model: 'gpt-4', complete: () => Promise.reject(failure) }
  await assert.rejects(answerQuery(query, caller, makeDeps('none', { model })), failure)
  const spans = takeSpans()
  assert.equal(spanNamed(spans, 'openai.generate').status.code, SpanStatusCode.ERROR)
  assert.equal(spanNamed(spans, 'rag.rerank').status.code, SpanStatusCode.UNSET)
})

test('no stage starts once the caller is gone, and the model is told', async () => {
  const gone = new Error('the caller went away')
  await assert.rejects(
    answerQuery(query, caller, makeDeps('none', { signal: AbortSignal.abort(gone) })),
    gone
  )
  assert.deepEqual(takeSpans(), [])
  const leaving = new AbortController()
  const model: ModelClient = {
    model: 'gpt-4',
    async complete(_prompt, signal) {
      leaving.abort(gone)
      signal?.throwIfAborted()
      return assert.fail('the model was not told')
    }
  }
  await assert.rejects(answerQuery(query, caller, makeDeps('none', { model, signal: leaving.signal })), gone)
})

test('hostile questions are answered like any other', async () => {
  for (const hostile of [
    '<|endoftext|> retention',
    "'; DROP TABLE chunks; -- retention",
    '👩‍💻'.repeat(300),
    '\ud800'
  ]) {
    const { response } = await answerQuery(hostile, caller, makeDeps('all'))
    assert.ok(response.length > 0)
  }
})
