/** The sample queries as traffic, several at a time. */
import { call } from './api.js'

/** One computes while the other waits for the model. With more each waits for the others, which is no line's fault. */
const CONCURRENCY = 2

/**
 * Sends the queries one after another, over and over, until `isOver()`; those under way are still answered.
 * @param {string[]} queries
 * @param {{ isOver: () => boolean, onAnswer: (isOk: boolean) => void }} options
 */
export async function sendQueries(queries, { isOver, onAnswer }) {
  let next = 0
  async function sendOneAfterAnother() {
    while (!isOver()) {
      const query = queries[next++ % queries.length]
      onAnswer(await sendQuery(query))
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
