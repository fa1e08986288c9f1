/**
 * The service's own pipeline as a workload: each iteration answers a query that was never asked before, from recorded
 * rows, without latency, with a model that answers at once and words counted for tokens.
 */
import { registerHooks } from 'node:module'
import { INVALID_SPAN_CONTEXT, trace } from '@opentelemetry/api'
import type { FaultSwitches } from '../faults.ts'
import type { ModelClient } from '../model/client.ts'
import type { PipelineDeps } from '../pipeline/answer-query.ts'
import { type RetrievalSnapshot, replayRetrieval } from './retrieval-snapshot.ts'

export interface QueryWorkloadInput {
  query: string
  snapshot: RetrievalSnapshot
  faults: FaultSwitches
}

/** What would make a check slow, and what stands in for it. */
const STAND_INS: Readonly<Record<string, string>> = {
  // Its tables are two thirds of the heap, and every look at the heap would walk them.
  'gpt-tokenizer/encoding/cl100k_base': new URL('./word-counter.ts', import.meta.url).href,
  './turn.ts': new URL('./no-turn.ts', import.meta.url).href
}

registerHooks({
  resolve: (specifier, context, resolveNext) => resolveNext(STAND_INS[specifier] ?? specifier, context)
})
const { answerQuery } = await import('../pipeline/answer-query.ts')
const { loadOpenings } = await import('../pipeline/document-cache.ts')
const { retrieve } = await import('../pipeline/retrieve.ts')

const NO_SPAN = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

const silentModel: ModelClient = {
  model: 'gpt-4',
  complete: async () => ({
    text: '',
    model: 'gpt-4',
    promptTokens: 0,
    repeatedPromptTokens: 0,
    completionTokens: 0
  })
}

let query = ''
let deps: PipelineDeps

/** So many queries fill the cache that has a limit. */
const CACHE_FILLING_QUERIES = 120

export async function prepare(input: QueryWorkloadInput): Promise<void> {
  query = input.query
  deps = {
    database: replayRetrieval(input.snapshot),
    model: silentModel,
    prices: {},
    faults: input.faults,
    captureContent: false,
    latencyScale: 0
  }
  // Still filling it would look like a leak at first, and take a second look.
  if (!input.faults['unbounded-document-cache']) await fillBoundedCache(deps)
}

async function fillBoundedCache({ database, faults, latencyScale }: PipelineDeps): Promise<void> {
  const found = await retrieve(database, query, faults)
  for (let i = 0; i < CACHE_FILLING_QUERIES; i++) {
    await loadOpenings(NO_SPAN, `${query} (before ${i})`, found, { faults, latencyScale })
  }
}

export async function iterate(i: number): Promise<void> {
  await answerQuery(`${query} (${i})`, { userId: 'leak-check' }, deps)
}
