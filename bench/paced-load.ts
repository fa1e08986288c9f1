/** Sends queries at a steady rate, or as fast as they are answered. */
import { Agent, request } from 'node:http'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Each fits a dozen documents instead of the fifty that a broad question finds: what a request costs by itself then
 * does not drown what is measured.
 */
const NARROW_QUERIES = [
  'Which gifts and hospitality have to be declared in Sales, Brazil, 2022?',
  'Which gifts and hospitality have to be declared in Finance, Poland, 2021?',
  'How often do we test that a backup can be restored in Engineering, Japan (2023)?',
  'How often do we test that a backup can be restored in Finance, Ireland (2024)?'
]

export interface LoadResult {
  /** Of each answered request, in ms. */
  latenciesMs: number[]
  failed: number
}

/** Each in its turn at its due time, whether or not the ones before it are answered. */
export async function sendAtRate(
  url: string,
  { rate, seconds }: { rate: number; seconds: number }
): Promise<LoadResult> {
  const result = createResult()
  const agent = new Agent({ keepAlive: true })
  const startedAt = performance.now()
  const pending: Promise<void>[] = []
  for (let turn = 0; turn < rate * seconds; turn++) {
    const waitMs = startedAt + (turn / rate) * 1000 - performance.now()
    if (waitMs > 0) await delay(waitMs)
    pending.push(sendQuery(url, pick(NARROW_QUERIES, turn), agent, result))
  }
  await Promise.all(pending)
  agent.destroy()
  return result
}

export interface UnpacedLoad {
  connections: number
  requests: number
  /** In turn; by default questions that few documents answer. */
  queries?: readonly string[]
}

/** One after the other on each of `connections`. */
export async function sendUnpaced(
  url: string,
  { connections, requests, queries = NARROW_QUERIES }: UnpacedLoad
): Promise<LoadResult> {
  const result = createResult()
  const agent = new Agent({ keepAlive: true })
  let next = 0
  async function sendOneAfterAnother(): Promise<void> {
    while (next < requests) await sendQuery(url, pick(queries, next++), agent, result)
  }
  await Promise.all(Array.from({ length: connections }, sendOneAfterAnother))
  agent.destroy()
  return result
}

function pick(queries: readonly string[], turn: number): string {
  return queries[turn % queries.length] ?? ''
}

function createResult(): LoadResult {
  return { latenciesMs: [], failed: 0 }
}

function sendQuery(url: string, query: string, agent: Agent, result: LoadResult): Promise<void> {
  const body = JSON.stringify({ query })
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  const startedAt = performance.now()
  return new Promise(function send(resolve) {
    function fail(): void {
      result.failed += 1
      resolve()
    }
    const sent = request(`${url}/query`, { method: 'POST', agent, headers }, function read(response) {
      response.resume()
      response.on('error', fail)
      response.on('end', function noteLatency() {
        if (response.statusCode !== 200) return fail()
        result.latenciesMs.push(performance.now() - startedAt)
        resolve()
      })
    })
    sent.on('error', fail)
    sent.end(body)
  })
}
