/**
 * The service's own metrics, read when they are asked for: where each is kept stands in its `read`. What is not known
 * yet is NaN, so that the series are as many from the start on.
 */
import type { Admission } from '../admission.ts'
import type { CostLedger } from '../costs/cost-ledger.ts'
import type { HeapWatch } from '../evidence/heap-watch.ts'
import type { FaultRegistry } from '../faults.ts'
import {
  CATEGORIES,
  type FeedbackBook,
  RATINGS,
  satisfactionScore,
  type Vote
} from '../feedback/feedback-book.ts'
import { countDocumentLookups, measureDocumentCache } from '../pipeline/document-cache.ts'
import type { MetricRegistry } from './exposition.ts'
import { defineCounter, defineGauge } from './readings.ts'

/** The label of votes without one. */
const NO_CATEGORY = 'none'

export interface ServiceMetricsDeps {
  admission: Admission
  costs: CostLedger
  feedback: FeedbackBook
  faults: FaultRegistry
  heapWatch: HeapWatch
}

export function defineServiceMetrics(registry: MetricRegistry, deps: ServiceMetricsDeps): void {
  defineAdmissionMetrics(registry, deps.admission)
  defineCostMetrics(registry, deps.costs)
  defineCacheMetrics(registry)
  defineHeapMetrics(registry, deps.heapWatch)
  defineFeedbackMetrics(registry, deps.feedback)
  defineGauge(registry, {
    name: 'rag_fault_enabled',
    help: 'Planted faults: 1 is on',
    labelNames: ['fault'],
    read: () =>
      Object.entries(deps.faults.snapshot()).map(([fault, isOn]) => ({
        labels: { fault },
        value: Number(isOn)
      }))
  })
}

function defineAdmissionMetrics(registry: MetricRegistry, admission: Admission): void {
  defineGauge(registry, {
    name: 'rag_queries_running',
    help: 'Queries that are being answered',
    read: () => [{ value: admission.running }]
  })
  defineGauge(registry, {
    name: 'rag_queries_waiting',
    help: 'Queries that wait for their turn',
    read: () => [{ value: admission.waiting }]
  })
  defineCounter(registry, {
    name: 'rag_queries_refused_total',
    help: 'Queries refused because too many waited',
    read: () => [{ value: admission.refused }]
  })
}

function defineCostMetrics(registry: MetricRegistry, costs: CostLedger): void {
  defineCounter(registry, {
    name: 'rag_queries_total',
    help: 'Queries answered, by the plan of the tenant',
    labelNames: ['plan', 'model'],
    read: () => costs.list().map(({ plan, model, queries }) => ({ labels: { plan, model }, value: queries }))
  })
  defineCounter(registry, {
    name: 'rag_tokens_total',
    help: 'Tokens as the model counted them',
    labelNames: ['kind', 'plan', 'model'],
    read: () =>
      costs.list().flatMap(({ plan, model, promptTokens, completionTokens }) => [
        { labels: { kind: 'prompt', plan, model }, value: promptTokens },
        { labels: { kind: 'completion', plan, model }, value: completionTokens }
      ])
  })
  defineCounter(registry, {
    name: 'rag_repeated_prompt_tokens_total',
    help: 'Prompt tokens of text that the prompt held already',
    labelNames: ['plan', 'model'],
    read: () =>
      costs.list().map(({ plan, model, repeatedPromptTokens: value }) => ({ labels: { plan, model }, value }))
  })
  defineCounter(registry, {
    name: 'rag_cost_usd_total',
    help: 'Cost of the answers at the prices of MODEL_PRICES, in USD',
    labelNames: ['plan', 'model'],
    read: () =>
      costs
        .list()
        .flatMap(({ plan, model, costUsd }) =>
          costUsd === null ? [] : [{ labels: { plan, model }, value: costUsd }]
        )
  })
  defineCounter(registry, {
    name: 'rag_cost_with_model_usd_total',
    help: 'What the same tokens would have cost with each model of MODEL_PRICES, in USD',
    labelNames: ['model'],
    read: () =>
      costs.priceWithEachModel().map(({ model, costUsd }) => ({ labels: { model }, value: costUsd }))
  })
}

function defineCacheMetrics(registry: MetricRegistry): void {
  defineCounter(registry, {
    name: 'rag_cache_lookups_total',
    help: 'Documents looked up in the document cache',
    labelNames: ['result'],
    read() {
      const { hits, misses } = countDocumentLookups()
      return [
        { labels: { result: 'hit' }, value: hits },
        { labels: { result: 'miss' }, value: misses }
      ]
    }
  })
  defineGauge(registry, {
    name: 'rag_cache_entries',
    help: 'Documents in the document cache',
    read: () => [{ value: measureDocumentCache().entries }]
  })
  defineGauge(registry, {
    name: 'rag_cache_size_bytes',
    help: 'Text in the document cache',
    read: () => [{ value: measureDocumentCache().bytes }]
  })
}

function defineHeapMetrics(registry: MetricRegistry, heapWatch: HeapWatch): void {
  defineGauge(registry, {
    name: 'rag_heap_floor_bytes',
    help: 'Heap that the last full garbage collection left',
    read: () => [{ value: heapWatch.report().floorBytes ?? Number.NaN }]
  })
  defineGauge(registry, {
    name: 'rag_heap_growth_bytes',
    help: 'Used heap less the least that was seen',
    read() {
      const { currentBytes, baselineBytes } = heapWatch.report()
      return [{ value: currentBytes - baselineBytes }]
    }
  })
  defineGauge(registry, {
    name: 'rag_heap_growth_bytes_per_hour',
    help: 'Growth of the floor with the ends of its 95 % interval',
    labelNames: ['bound'],
    read() {
      const { estimate, low, high } = heapWatch.report().growth
      return Object.entries({ estimate, low, high }).map(([bound, bytes]) => ({
        labels: { bound },
        value: bytes ?? Number.NaN
      }))
    }
  })
  defineGauge(registry, {
    name: 'rag_heap_growth_reliable',
    help: '1 once the growth rests on enough collections, over enough time, to act on',
    read: () => [{ value: Number(heapWatch.report().growth.reliable) }]
  })
}

function defineFeedbackMetrics(registry: MetricRegistry, feedback: FeedbackBook): void {
  defineGauge(registry, {
    name: 'rag_feedback_votes',
    help: 'Standing votes, one an answer, of the last 1,000',
    labelNames: ['rating', 'category'],
    read() {
      const counts = countVotes(feedback.list())
      return RATINGS.flatMap((rating) =>
        [...CATEGORIES, NO_CATEGORY].map((category) => ({
          labels: { rating, category },
          value: counts.get(`${rating} ${category}`) ?? 0
        }))
      )
    }
  })
  defineGauge(registry, {
    name: 'rag_satisfaction_score',
    help: 'Share of the standing votes that are up, 0 to 1',
    read: () => [{ value: satisfactionScore(feedback.list()) ?? Number.NaN }]
  })
}

function countVotes(votes: readonly Vote[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { rating, category = NO_CATEGORY } of votes) {
    const key = `${rating} ${category}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}
