import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { GrowthRate } from '../evidence/growth-rate.ts'
import type { Collections, HeapWatch } from '../evidence/heap-watch.ts'
import { leakReportSchema } from '../evidence/memory/leak-report.ts'
import { listMemoryAlerts } from '../evidence/memory-alerts.ts'
import { listSpanGrowths } from '../evidence/span-growth.ts'
import type { LeakChecker } from '../leak-check/leak-checker.ts'
import { clearDocumentCache, measureDocumentCache } from '../pipeline/document-cache.ts'

const collectionsSchema = z.object({
  count: z.int(),
  total_pause_ms: z.number(),
  longest_pause_ms: z.number()
})

const statsSchema = z.object({
  status: z.literal('ok'),
  memory_stats: z.object({
    current_mb: z.number().describe('used heap'),
    peak_mb: z.number().describe('the most that was seen'),
    baseline_mb: z.number().describe('the least that was seen'),
    growth_mb: z.number().describe('current less baseline'),
    growth_mb_per_hour: z
      .object({
        estimate: z.number().nullable(),
        low: z.number().nullable(),
        high: z.number().nullable(),
        reliable: z.boolean()
      })
      .describe('of what full garbage collections leave, with its 95 % interval; null without two of them'),
    floor_mb: z
      .number()
      .nullable()
      .describe('what the last full garbage collection left; null before the first'),
    floor_history: z
      .array(z.object({ at: z.iso.datetime(), mb: z.number() }))
      .describe('what full garbage collections left, less what bounded caches hold, the oldest first'),
    heap_limit_mb: z.number(),
    external_mb: z.number().describe('Buffers and the like, outside the heap'),
    array_buffers_mb: z.number().describe('the part of it that Buffers take'),
    rss_mb: z.number(),
    garbage_collections: z
      .object({
        minor: collectionsSchema,
        major: collectionsSchema,
        incremental: collectionsSchema,
        weak_callbacks: collectionsSchema
      })
      .describe('since the start, with their pauses of the main thread'),
    document_cache: z.object({ entries: z.int(), approx_mb: z.number() }),
    growing_types: leakReportSchema.shape.growing_types.describe(
      "what the last leak check saw growing, of the pipeline's own; the live heap is not searched"
    ),
    growing_types_from: z
      .object({ source: z.literal('leak check'), at: z.string(), verdict: leakReportSchema.shape.verdict })
      .nullable()
      .describe('null as long as there was no leak check'),
    alerts: z.array(z.string())
  })
})

export const memoryRoutes: FastifyPluginAsyncZod<{
  heapWatch: HeapWatch
  leakChecker: Pick<LeakChecker, 'last'>
}> = async (app, { heapWatch, leakChecker }) => {
  app.get(
    '/memory/stats',
    { schema: { summary: 'What the process holds, and how fast it grows', response: { 200: statsSchema } } },
    async function showMemory() {
      const heap = heapWatch.report()
      const cache = measureDocumentCache()
      return {
        status: 'ok' as const,
        memory_stats: {
          current_mb: toMb(heap.currentBytes),
          peak_mb: toMb(heap.peakBytes),
          baseline_mb: toMb(heap.baselineBytes),
          growth_mb: toMb(heap.currentBytes - heap.baselineBytes),
          growth_mb_per_hour: inMb(heap.growth),
          floor_mb: heap.floorBytes === null ? null : toMb(heap.floorBytes),
          floor_history: heap.floorPoints.map(({ atMs, bytes }) => ({
            at: new Date(atMs).toISOString(),
            mb: toMb(bytes)
          })),
          heap_limit_mb: toMb(heap.heapLimitBytes),
          external_mb: toMb(heap.externalBytes),
          array_buffers_mb: toMb(heap.arrayBuffersBytes),
          rss_mb: toMb(heap.rssBytes),
          garbage_collections: {
            minor: describeCollections(heap.collections.minor),
            major: describeCollections(heap.collections.major),
            incremental: describeCollections(heap.collections.incremental),
            weak_callbacks: describeCollections(heap.collections.weak_callbacks)
          },
          document_cache: { entries: cache.entries, approx_mb: toMb(cache.bytes) },
          ...describeGrowingTypes(leakChecker.last),
          alerts: listMemoryAlerts(heap, listSpanGrowths())
        }
      }
    }
  )

  app.delete(
    '/memory/document-cache',
    {
      config: { guarded: true },
      schema: {
        summary: 'Empty the document cache',
        response: { 200: z.object({ freed_mb: z.number(), entries: z.int() }) }
      }
    },
    async function emptyDocumentCache(request) {
      const { entries, freedBytes } = clearDocumentCache()
      request.log.info({ entries }, 'document cache emptied')
      return { freed_mb: toMb(freedBytes), entries }
    }
  )
}

const iterationsError = 'must be a whole number from 1 to 100'
const leakCheckBodySchema = z
  .object(
    {
      iterations: z
        .int(iterationsError)
        .min(1, iterationsError)
        .max(100, iterationsError)
        .default(10)
        .describe('At least so many are judged; it runs more where the verdict takes more')
    },
    { error: 'must be a JSON object such as {"iterations": 10}' }
  )
  .nullish()
  .transform((body) => body ?? { iterations: 10 })

/** A check that runs when the app closes is called off. */
export const leakCheckRoutes: FastifyPluginAsyncZod<{ leakChecker: LeakChecker }> = async (
  app,
  { leakChecker }
) => {
  app.drain.signal.addEventListener('abort', () => leakChecker.close(), { once: true })

  app.post(
    '/memory/leak-check',
    {
      config: { guarded: true },
      schema: {
        summary:
          'Run the pipeline in a process of its own and say what leaks, by how much, and on which line',
        body: leakCheckBodySchema,
        response: { 200: z.object({ status: z.literal('ok'), leak_check: leakReportSchema }) }
      }
    },
    async function checkForLeaks(request) {
      const report = await leakChecker.run(request.body.iterations)
      request.log.info(
        { verdict: report.verdict, retained_by: report.retained_by, allocated_at: report.allocated_at },
        'leak check ended'
      )
      return { status: 'ok' as const, leak_check: report }
    }
  )
}

function describeCollections({ count, totalPauseMs, longestPauseMs }: Collections) {
  return { count, total_pause_ms: round(totalPauseMs), longest_pause_ms: round(longestPauseMs) }
}

function describeGrowingTypes(last: LeakChecker['last']) {
  if (last === undefined) return { growing_types: [], growing_types_from: null }
  const { verdict, growing_types } = last.report
  const at = new Date(last.atMs).toISOString()
  return { growing_types, growing_types_from: { source: 'leak check' as const, at, verdict } }
}

function inMb({ estimate, low, high, reliable }: GrowthRate) {
  const toMbOrNull = (bytes: number | null) => (bytes === null ? null : toMb(bytes))
  return { estimate: toMbOrNull(estimate), low: toMbOrNull(low), high: toMbOrNull(high), reliable }
}

/** Megabytes (2^20 bytes), to two decimals. */
function toMb(bytes: number): number {
  return round(bytes / 2 ** 20)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
