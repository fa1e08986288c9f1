/** What users said of their answers: the votes, and the recent answers that can still get one. */
import type { Attributes, SpanContext } from '@opentelemetry/api'
import { LRUCache } from 'lru-cache'

export const RATINGS = ['up', 'down'] as const
export type Rating = (typeof RATINGS)[number]

/** What an answer can be blamed for; few, because each is a label of a metric. */
export const CATEGORIES = [
  'incorrect',
  'irrelevant',
  'incomplete',
  'outdated',
  'hallucination',
  'unclear',
  'slow',
  'other'
] as const
export type Category = (typeof CATEGORIES)[number]

/** 12 minutes at 10,000 answers an hour, and less than a megabyte. */
const MAX_ANSWERS = 2000
const MAX_VOTES = 1000
/** Enough to tell a question from others. */
const KEPT_QUERY_CHARACTERS = 200

export interface Answered {
  query: string
  /** The answer's server span; absent without tracing. */
  span?: SpanContext | undefined
}

export interface Vote {
  rating: Rating
  category?: Category | undefined
  comment?: string | undefined
}

export interface RecordedVote extends Vote, Answered {
  traceId: string
  at: Date
}

/** Bounded, in memory, by trace id; an answer has one vote, the last one. */
export class FeedbackBook {
  readonly #answers = new LRUCache<string, Answered>({ max: MAX_ANSWERS })
  readonly #votes = new LRUCache<string, RecordedVote>({ max: MAX_VOTES })

  noteAnswer(traceId: string, { query, span }: Answered): void {
    this.#answers.set(traceId, { query: query.slice(0, KEPT_QUERY_CHARACTERS), span })
  }

  /** @returns the vote with the answer it is for, or undefined when that is none of the recent ones */
  record(traceId: string, vote: Vote): RecordedVote | undefined {
    const answered = this.#answers.peek(traceId) ?? this.#votes.peek(traceId)
    if (answered === undefined) return undefined
    const { query, span } = answered
    const recorded = { traceId, query, span, ...vote, at: new Date() }
    this.#votes.set(traceId, recorded)
    return recorded
  }

  find(traceId: string): RecordedVote | undefined {
    return this.#votes.peek(traceId)
  }

  /** The standing votes, the newest first. */
  list(): RecordedVote[] {
    return [...this.#votes.values()]
  }
}

/** The share of answers voted up, 0 to 1; null without a vote. */
export function satisfactionScore(votes: readonly Vote[]): number | null {
  if (votes.length === 0) return null
  return votes.filter(({ rating }) => rating === 'up').length / votes.length
}

/** The event that OpenTelemetry's semantic conventions have for a judgement of what a model answered. */
export const EVALUATION_EVENT = 'gen_ai.evaluation.result'

/** Its attributes. The comment is left out: a user's words belong into no span. */
export function evaluationAttributes({ rating, category }: Vote): Attributes {
  return {
    'gen_ai.evaluation.name': 'user_feedback',
    'gen_ai.evaluation.score.label': rating,
    'gen_ai.evaluation.score.value': rating === 'up' ? 1 : 0,
    ...(category !== undefined && { 'feedback.category': category })
  }
}
