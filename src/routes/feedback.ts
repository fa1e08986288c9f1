import { TraceFlags } from '@opentelemetry/api'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HttpError } from '../errors.ts'
import {
  CATEGORIES,
  EVALUATION_EVENT,
  evaluationAttributes,
  type FeedbackBook,
  RATINGS,
  type RecordedVote,
  satisfactionScore
} from '../feedback/feedback-book.ts'
import { getServerSpan } from '../telemetry/server-span.ts'

const MAX_COMMENT_CHARACTERS = 1000
const MAX_TRACE_ID_CHARACTERS = 64

export const ratingSchema = z.enum(RATINGS, { error: `must be ${RATINGS.join(' or ')}` })
export const categorySchema = z.enum(CATEGORIES, { error: `must be one of ${CATEGORIES.join(', ')}` })

const voteSchema = z.object(
  {
    trace_id: z
      .string({ error: ({ input }) => (input === undefined ? 'is missing' : 'must be a string') })
      .min(1, 'must not be empty')
      .max(MAX_TRACE_ID_CHARACTERS, `must have at most ${MAX_TRACE_ID_CHARACTERS} characters`)
      .describe('As the answer had it'),
    rating: ratingSchema,
    category: categorySchema.optional().describe('What the vote is about'),
    comment: z
      .string({ error: 'must be a string' })
      .max(MAX_COMMENT_CHARACTERS, `must have at most ${MAX_COMMENT_CHARACTERS} characters`)
      .optional()
      .describe('Kept in memory only: in no span, log or metric')
  },
  { error: 'must be a JSON object such as {"trace_id": "…", "rating": "up"}' }
)

const summarySchema = z.object({
  votes: z.int().describe('standing votes: one an answer, the last 1,000'),
  up: z.int(),
  down: z.int(),
  satisfaction_score: z
    .number()
    .nullable()
    .describe('share of votes that are up, 0 to 1; null without votes'),
  by_category: z
    .array(z.object({ category: categorySchema.nullable(), up: z.int(), down: z.int() }))
    .describe('most down-votes first; category null: none was given'),
  down_voted: z
    .array(
      z.object({
        trace_id: z.string(),
        sampled: z.boolean().describe('whether there is a trace to look at'),
        query: z.string().describe('how the question began'),
        category: categorySchema.nullable(),
        comment: z.string().nullable(),
        at: z.iso.datetime()
      })
    )
    .describe('newest first')
})

export const feedbackRoutes: FastifyPluginAsyncZod<{ feedback: FeedbackBook }> = async (
  app,
  { feedback }
) => {
  app.post(
    '/feedback',
    {
      schema: {
        summary: 'Say whether an answer helped; a second vote replaces the first',
        body: voteSchema,
        response: { 202: z.object({ status: z.literal('recorded') }) }
      }
    },
    async function recordVote({ body: { trace_id, ...vote } }, reply) {
      const recorded = feedback.record(trace_id, vote)
      if (recorded === undefined) {
        throw new HttpError(
          404,
          'UNKNOWN_ANSWER',
          'No recent answer of this service has this trace_id: send the one that POST /query answered with.'
        )
      }
      traceVote(recorded)
      return reply.code(202).send({ status: 'recorded' as const })
    }
  )

  app.get(
    '/feedback',
    {
      config: { guarded: true },
      schema: { summary: 'How satisfied users are, and with what not', response: { 200: summarySchema } }
    },
    async function summarizeVotes() {
      return summarize(feedback.list())
    }
  )
}

/** By a link: a span of its own in the answer's trace would stretch that trace until the vote. */
function traceVote(vote: RecordedVote): void {
  const span = getServerSpan()
  span?.addEvent(EVALUATION_EVENT, evaluationAttributes(vote))
  if (vote.span) span?.addLink({ context: vote.span })
}

function summarize(votes: readonly RecordedVote[]): z.infer<typeof summarySchema> {
  const downVotes = votes.filter(({ rating }) => rating === 'down')
  return {
    votes: votes.length,
    up: votes.length - downVotes.length,
    down: downVotes.length,
    satisfaction_score: satisfactionScore(votes),
    by_category: [...Map.groupBy(votes, ({ category }) => category ?? null)]
      .map(([category, group]) => {
        const down = group.filter(({ rating }) => rating === 'down').length
        return { category, up: group.length - down, down }
      })
      .sort((a, b) => b.down - a.down),
    down_voted: downVotes.map(toDownVoted)
  }
}

function toDownVoted({ traceId, span, query, category, comment, at }: RecordedVote) {
  return {
    trace_id: traceId,
    sampled: span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) !== 0,
    query,
    category: category ?? null,
    comment: comment ?? null,
    at: at.toISOString()
  }
}
