/** Advice on indexes, given only after it was tried, for statements whose plan the last window holds. */
import { HttpError } from '../errors.ts'
import { parsePlan } from '../evidence/sql/plan.ts'
import { planCapture } from '../evidence/sql/plan-capture.ts'
import { type IndexCandidate, readPlan } from '../evidence/sql/plan-issues.ts'
import type { IndexAdvice } from '../evidence/sql/report.ts'
import type { Database } from './database.ts'
import { helps, type IndexTrial, TrialRefusedError, tryIndex } from './index-trial.ts'

/** A plan with more is a report over everything: one index will not mend it. */
const MAX_CANDIDATES = 3
const KEPT_ADVICES = 100

/** When indexes are tried: by a diagnosis and on request, on request only, or never. */
export type IndexAdviceMode = 'on' | 'on-request' | 'off'

export interface IndexAdvisor {
  readonly mode: IndexAdviceMode
  /**
   * @param statement normalised
   * @throws HttpError where it is off, another one runs, or no plan of the statement is known
   */
  advise(statement: string): Promise<IndexAdvice>
  /** The last advice on it. */
  find(statement: string): IndexAdvice | undefined
}

export function createIndexAdvisor(database: Database, mode: IndexAdviceMode): IndexAdvisor {
  const kept = new Map<string, IndexAdvice>()
  let isRunning = false

  async function advise(statement: string): Promise<IndexAdvice> {
    if (mode === 'off') {
      throw new HttpError(
        409,
        'INDEX_ADVICE_OFF',
        'No index is tried on this database: set SQL_INDEX_ADVICE=on.'
      )
    }
    if (isRunning) {
      throw new HttpError(409, 'INDEX_ADVICE_RUNNING', 'Another index is being tried: ask again in a second.')
    }
    isRunning = true
    try {
      const advice = await findAdvice(database, statement)
      keep(statement, advice)
      return advice
    } finally {
      isRunning = false
    }
  }

  function keep(statement: string, advice: IndexAdvice): void {
    kept.delete(statement)
    kept.set(statement, advice)
    const [oldest] = kept.keys()
    if (kept.size > KEPT_ADVICES && oldest !== undefined) kept.delete(oldest)
  }

  return { mode, advise, find: (statement) => kept.get(statement) }
}

async function findAdvice(database: Database, statement: string): Promise<IndexAdvice> {
  const plan = planCapture.find(statement)
  if (!plan) {
    throw new HttpError(
      409,
      'NO_PLAN',
      'The last diagnosis saw no plan of this statement: POST /diagnosis while it runs, then ask again.'
    )
  }
  const candidates = readPlan(parsePlan(plan.json)).candidates.slice(0, MAX_CANDIDATES)
  if (candidates.length === 0)
    return refuse('would-not-help', 'Its plan has no condition that an ordinary index serves.')
  const { call } = plan
  if (!call) return refuse('not-tried', 'The values of its execution were too large to keep.')
  try {
    return await tryCandidates(candidates, (candidate) => tryIndex(database, call, candidate))
  } catch (error) {
    if (error instanceof TrialRefusedError)
      return refuse('not-tried', `It could not be tried: ${error.message}.`)
    throw error
  }
}

async function tryCandidates(
  candidates: IndexCandidate[],
  attempt: (candidate: IndexCandidate) => Promise<IndexTrial>
): Promise<IndexAdvice> {
  let last: IndexTrial | undefined
  for (const candidate of candidates) {
    last = await attempt(candidate)
    if (helps(last)) return describe(last, 'helps', 'the cost falls')
  }
  return describe(
    last as IndexTrial,
    'would-not-help',
    last?.isUsed ? 'the cost hardly falls' : 'the planner would not use it'
  )
}

function describe(
  { ddl, costBefore, costAfter }: IndexTrial,
  verdict: IndexAdvice['verdict'],
  result: string
): IndexAdvice {
  const [before, after] = [costBefore, costAfter].map((cost) => Math.round(cost).toLocaleString('en-US'))
  return {
    verdict,
    ddl,
    cost_before: costBefore,
    cost_after: costAfter,
    message: `Tried and rolled back: ${result}, ${before} before and ${after} after.`
  }
}

function refuse(verdict: IndexAdvice['verdict'], message: string): IndexAdvice {
  return { verdict, ddl: null, cost_before: null, cost_after: null, message }
}
