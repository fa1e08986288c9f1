import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HttpError } from '../errors.ts'
import {
  EVALUATION_EVENT,
  evaluationAttributes,
  type FeedbackBook,
  type RecordedVote
} from '../feedback/feedback-book.ts'
import type { RecentTraces, TraceSpan } from '../telemetry/recent-traces.ts'
import { categorySchema, ratingSchema } from './feedback.ts'

const statusSchema = z.enum(['ok', 'error'], { error: 'must be ok or error' })
const durationError = 'must be a number of milliseconds, 0 or more'

const filterSchema = z.object({
  // Coerced, nothing at all would be 0.
  min_duration_ms: z
    .string()
    .regex(/^\d+(\.\d+)?$/, durationError)
    .transform(Number)
    .optional(),
  user_id: z.string().optional(),
  tenant_id: z.string().optional(),
  status: statusSchema.optional(),
  feedback: ratingSchema.optional().describe('only traces of answers with this vote'),
  category: categorySchema.optional().describe('only traces of answers with a vote of this category')
})

const feedbackSchema = z.object({ rating: ratingSchema, category: categorySchema.nullable() }).nullable()

const summarySchema = z.object({
  trace_id: z.string(),
  name: z.string(),
  start_time: z.iso.datetime(),
  duration_ms: z.number(),
  status: statusSchema,
  user_id: z.string().nullable(),
  tenant_id: z.string().nullable(),
  span_count: z.int(),
  dropped_spans: z.int(),
  feedback: feedbackSchema.describe('the vote on the answer; null without one')
})

const attributesSchema = z.record(z.string(), z.any())

const traceSchema = z.object({
  trace_id: z.string(),
  dropped_spans: z.int(),
  feedback: feedbackSchema,
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

export const traceRoutes: FastifyPluginAsyncZod<{
  recentTraces: RecentTraces
  feedback: FeedbackBook
}> = async (app, { recentTraces, feedback }) => {
  const config = { guarded: true }

  function findFeedback(traceId: string): z.infer<typeof feedbackSchema> {
    const vote = feedback.find(traceId)
    return vote === undefined ? null : { rating: vote.rating, category: vote.category ?? null }
  }

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
      const traces = recentTraces
        .list(filter)
        .map((summary) => ({ ...summary, feedback: findFeedback(summary.trace_id) }))
        .filter((trace) => query.feedback === undefined || trace.feedback?.rating === query.feedback)
        .filter((trace) => query.category === undefined || trace.feedback?.category === query.category)
      return { traces }
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
      if (trace) {
        const spans = withVote(trace.spans, feedback.find(params.trace_id))
        return { ...trace, feedback: findFeedback(params.trace_id), spans }
      }
      throw new HttpError(
        404,
        'UNKNOWN_TRACE',
        'This trace was not sampled, or newer ones have taken its place: send the query again with "x-force-sample: 1".'
      )
    }
  )
}

/** The vote as an event of the span that answered: it came after that span had ended and was sent. */
function withVote(spans: TraceSpan[], vote: RecordedVote | undefined): TraceSpan[] {
  if (vote === undefined) return spans
  const event = {
    name: EVALUATION_EVENT,
    time: vote.at.toISOString(),
    attributes: evaluationAttributes(vote)
  }
  return spans.map((span) =>
    span.span_id === vote.span?.spanId ? { ...span, events: [...span.events, event] } : span
  )
}
