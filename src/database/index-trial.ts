/** Tries an index: created in a transaction, the statement planned again, rolled back. Nothing is executed or kept. */
import { randomBytes } from 'node:crypto'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import pg, { type PoolClient } from 'pg'
import { type PlanNode, readExplained, walkPlan } from '../evidence/sql/plan.ts'
import type { StatementCall } from '../evidence/sql/plan-capture.ts'
import type { IndexCandidate } from '../evidence/sql/plan-issues.ts'
import type { Database } from './database.ts'

/** How long it waits behind whoever writes to the table, and everybody else behind it. */
const LOCK_TIMEOUT_MS = 500
/** Writes to the table wait while the index is made. */
const STATEMENT_TIMEOUT_MS = 5_000
/** A million rows or so: an index on more would run into the timeout, or hold the embedded engine up. */
const MAX_TABLE_MB = 256

const NOT_ALLOWED = '42501'
/** SQLSTATEs whose text names no value: not allowed, lock not available, timeout, read-only. */
const TELLING = [NOT_ALLOWED, '55P03', '57014', '25006']

export interface IndexTrial {
  /** What makes the index that was tried last. */
  ddl: string
  /** The planner's cost of the whole statement. */
  costBefore: number
  costAfter: number
  /** Whether the planner would use it at all. */
  isUsed: boolean
}

/** Half the cost is worth an index, which every write to the table pays for. */
const MAX_COST_SHARE = 0.5

/** @returns whether the planner would use the index, and the statement costs half as much with it */
export function helps({ isUsed, costBefore, costAfter }: IndexTrial): boolean {
  return isUsed && costAfter <= MAX_COST_SHARE * costBefore
}

/** Why no index could be tried, for people. */
export class TrialRefusedError extends Error {}

/**
 * @returns the first of the candidate's alternatives that helps, or the last one
 * @throws TrialRefusedError, DatabaseUnavailableError
 */
export function tryIndex(
  database: Database,
  call: StatementCall,
  candidate: IndexCandidate
): Promise<IndexTrial> {
  // Its statements are nobody's request.
  return context.with(ROOT_CONTEXT, () =>
    database.withClient(async function tryAndRollBack(client) {
      await client.query('BEGIN')
      try {
        return await tryAlternatives(client, call, candidate)
      } catch (error) {
        throw new TrialRefusedError(describeRefusal(error), { cause: error })
      } finally {
        await client.query('ROLLBACK')
      }
    })
  )
}

async function tryAlternatives(
  client: PoolClient,
  call: StatementCall,
  { table, alternatives }: IndexCandidate
): Promise<IndexTrial> {
  await client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`)
  await client.query(`SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`)
  await refuseLargeTable(client, table)
  const costBefore = (await explain(client, call)).cost
  let trial: IndexTrial | undefined
  for (const keys of alternatives) {
    await client.query('SAVEPOINT before_index')
    const { cost, isUsed } = await explainWithIndex(client, call, table, keys).catch((error: unknown) => {
      if (isImpossible(error)) return { cost: costBefore, isUsed: false }
      throw error
    })
    await client.query('ROLLBACK TO SAVEPOINT before_index')
    trial = { ddl: `CREATE INDEX ON ${table} (${keys.join(', ')})`, costBefore, costAfter: cost, isUsed }
    // A second index on a key is used instead of the first, and spares nothing.
    if (helps(trial)) break
  }
  if (!trial) throw new Error('there is no index to try')
  return trial
}

async function refuseLargeTable(client: PoolClient, table: string): Promise<void> {
  const { rows } = await client.query<{ mb: number }>(
    'SELECT pg_relation_size(CAST($1 AS regclass)) / 2.0 ^ 20 AS mb',
    [table]
  )
  const mb = Math.round(rows[0]?.mb ?? 0)
  if (mb > MAX_TABLE_MB)
    throw new Error(`${table} has ${mb} MB; tables of more than ${MAX_TABLE_MB} MB are left alone`)
}

async function explainWithIndex(
  client: PoolClient,
  call: StatementCall,
  table: string,
  keys: string[]
): Promise<{ cost: number; isUsed: boolean }> {
  const name = `trial_${randomBytes(6).toString('hex')}`
  await client.query(`CREATE INDEX ${name} ON ${table} (${keys.join(', ')})`)
  const { rows } = await client.query<{ waits: boolean }>(
    'SELECT indcheckxmin AS waits FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = $1',
    [name]
  )
  if (rows[0]?.waits) {
    // The planner ignores a new index on rows with older versions until these are gone.
    throw new Error(`${table} was updated a moment ago: VACUUM it, or try again later`)
  }
  const plan = await explain(client, call)
  return { cost: plan.cost, isUsed: walkPlan(plan).some(({ node }) => node.indexName === name) }
}

/** No index can be made on this: a function that is not immutable, a type without that operator class. */
function isImpossible(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^42/.test(error.code ?? '') && error.code !== NOT_ALLOWED
}

/** Other texts of the database may hold values. */
function describeRefusal(error: unknown): string {
  if (!(error instanceof pg.DatabaseError)) return error instanceof Error ? error.message : String(error)
  return TELLING.includes(error.code ?? '')
    ? error.message
    : `the database refused with SQLSTATE ${error.code}`
}

async function explain(client: PoolClient, { text, values }: StatementCall): Promise<PlanNode> {
  const { rows } = await client.query<{ 'QUERY PLAN': unknown }>(`EXPLAIN (FORMAT JSON) ${text}`, values)
  return readExplained(rows[0]?.['QUERY PLAN'])
}
