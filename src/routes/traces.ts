import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HttpError } from '../errors.ts'
import type { RecentTraces } from '../telemetry/recent-traces.ts'

const statusSchema = z.enum(['ok', 'error'], { error: 'must be ok or error' })
const durationError = 'must be a number of milliseconds, 0 or more'

const filterSchema = z.object({
  min_duration_ms: z.coerce.number(durationError).min(0, durationError).optional(),
  user_id: z.string().optional(),
  tenant_id: z.string().optional(),
  status: statusSchema.optional()
})

const summarySchema = z.object({
  trace_id: z.string(),
  name: z.string(),
  start_time: z.iso.datetime(),
  duration_ms: z.number(),
  status: statusSchema,
  user_id: z.string().nullable(),
  tenant_id: z.string().nullable(),
  span_count: z.int(),
  dropped_spans: z.int()
})

const attributesSchema = z.record(z.string(), z.any())

const traceSchema = z.object({
  trace_id: z.string(),
  dropped_spans: z.int(),
  spans: z.array(
    z.object({
      span_id: z.string(),
      parent_span_id: z.string().nullable(),
      name: z.string(),
      kind: z.string(),
      start_time: z.iso.datetime(),
      duration_ms: z.number(),
      status: statusSchema,
      attributes: attributesSchema,
      events: z.array(z.object({ name: z.string(), time: z.iso.datetime(), attributes: attributesSchema }))
    })
  )
})

export const traceRoutes: FastifyPluginAsyncZod<{ recentTraces: RecentTraces }> = async (
  app,
  { recentTraces }
) => {
  const config = { guarded: true }

  app.get(
    '/traces',
    {
      config,
      schema: {
        summary: 'Recent sampled traces, newest first',
        querystring: filterSchema,
        response: { 200: z.object({ traces: z.array(summarySchema) }) }
      }
    },
    async function listTraces({ query }) {
      const filter = {
        minDurationMs: query.min_duration_ms,
        userId: query.user_id,
        tenantId: query.tenant_id,
        status: query.status
      }
      return { traces: recentTraces.list(filter) }
    }
  )

  app.get(
    '/traces/:trace_id',
    {
      config,
      schema: {
        summary: 'The spans of one of them',
        params: z.object({
          trace_id: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 hexadecimal digits in lower case')
        }),
        response: { 200: traceSchema }
      }
    },
    async function showTrace({ params }) {
      const trace = recentTraces.find(params.trace_id)
      if (trace) return trace
      throw new HttpError(
        404,
        'UNKNOWN_TRACE',
        'This trace was not sampled, or newer ones have taken its place: send the query again with "x-force-sample: 1".'
      )
    }
  )
}
