/**
 * Lets a connection tell the plan of each statement it runs (auto_explain, as notices) while a window asks for them,
 * and only then: outside of windows nothing of it is set.
 */
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import pg, { type PoolClient } from 'pg'
import { planCapture } from '../evidence/sql/plan-capture.ts'

/**
 * Without timing of every node, which is what makes EXPLAIN ANALYZE slow; without parameters, which would be logged
 * in full. `notice` is below what a server writes to its own log by default.
 */
const SETTINGS = {
  'auto_explain.log_level': 'notice',
  'auto_explain.log_format': 'json',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_timing': 'off',
  'auto_explain.log_verbose': 'on',
  'auto_explain.log_nested_statements': 'off',
  'auto_explain.log_parameter_max_length': '0',
  'auto_explain.sample_rate': '1',
  'auto_explain.log_min_duration': '0',
  client_min_messages: 'notice'
}

/** Names that this version has not, and all of them where the library is not loaded, are no rows. */
const TURN_ON = `
  SELECT name, set_config(name, value, false)
  FROM json_each_text($1::json) AS wanted (name, value) JOIN pg_settings USING (name)`
const TURN_OFF = 'SET auto_explain.log_min_duration = -1; RESET client_min_messages'

type NoticeListener = (notice: { message?: string | undefined }) => void

const listeners = new WeakMap<PoolClient, NoticeListener>()

/** True where the connection does not yet do what the window, or its end, asks for. */
export function needsPlanSwitch(client: PoolClient): boolean {
  return planCapture.isTaking !== listeners.has(client)
}

/** Turns the plans on or off. Never rejects: where the role may not, or the library is missing, a window goes without. */
export async function switchPlans(client: PoolClient): Promise<void> {
  // Outside the request that comes by: these statements are none of its own.
  await context.with(ROOT_CONTEXT, () => (planCapture.isTaking ? turnOn(client) : turnOff(client)))
}

async function turnOn(client: PoolClient): Promise<void> {
  const loadError = await tryTo(() => client.query("LOAD 'auto_explain'"))
  // A server that loads it by itself may let a role use what it may not load.
  let isLoaded = false
  const setError = await tryTo(async () => {
    const { rows } = await client.query<{ name: string }>(TURN_ON, [JSON.stringify(SETTINGS)])
    isLoaded = rows.some(({ name }) => name.startsWith('auto_explain.'))
  })
  // A connection that broke, or was left, says nothing of what the next one may.
  if (setError && !(setError instanceof pg.DatabaseError)) return
  if (!isLoaded) {
    planCapture.giveUp(
      `The database does not tell its plans: ${(setError ?? loadError)?.message ?? 'no auto_explain'}.`
    )
    return
  }
  const listener: NoticeListener = ({ message }) => planCapture.takeNotice(message ?? '')
  listeners.set(client, listener)
  client.on('notice', listener)
}

async function turnOff(client: PoolClient): Promise<void> {
  const listener = listeners.get(client)
  listeners.delete(client)
  if (listener) client.off('notice', listener)
  await tryTo(() => client.query(TURN_OFF))
}

async function tryTo(step: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await step()
    return undefined
  } catch (error) {
    return error as Error
  }
}
