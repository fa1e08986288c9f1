/** The sample queries as traffic, several at a time. */
import { call } from './api.js'

/** Some compute while others wait for the model. With more each waits for the others, which is no line's fault. */
const CONCURRENCY = 3
/** After an answer that took so long there is something to diagnose: a window closes once no request is left. */
const SLOW_MS = 3_000

/**
 * Sends the queries one after another, over and over, until `isOver()` or as long as the answers are quick; those under
 * way are still answered.
 * @param {string[]} queries
 * @param {{ isOver: () => boolean, onAnswer: (isOk: boolean) => void }} options
 */
export async function sendQueries(queries, { isOver, onAnswer }) {
  let next = 0
  async function sendOneAfterAnother() {
    let isQuick = true
    while (isQuick && !isOver()) {
      const startedAt = performance.now()
      onAnswer(await sendQuery(queries[next++ % queries.length]))
      isQuick = performance.now() - startedAt < SLOW_MS
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, sendOneAfterAnother))
}

/** Kept as a trace whatever the sampling rate, so that there is one to look at. */
async function sendQuery(query) {
  const body = { query, user_id: 'page' }
  try {
    await call('POST', '/query', { body, headers: { 'x-force-sample': '1' }, isTraced: true })
    return true
  } catch {
    return false
  }
}
