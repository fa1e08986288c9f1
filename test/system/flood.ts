/** More load than can be served, and what becomes of it. */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export interface Flood {
  /** By status; `0` where the connection broke. */
  statuses: Record<number, number>
  /** Of the answers with 200, in ms. */
  slowestMs: number
  /** Refusals that did not say when to come again. */
  withoutRetryAfter: number
}

const BODY = '{"query": "What are the data retention rules?"}'

/** Sends `rate` questions a second for so long, whether or not the earlier ones are answered, and awaits them all. */
export async function flood(url: string, rate: number, seconds: number): Promise<Flood> {
  const agent = new Agent({ keepAlive: true })
  const result: Flood = { statuses: {}, slowestMs: 0, withoutRetryAfter: 0 }
  const sent: Promise<void>[] = []
  const startMs = performance.now()
  let total = 0
  while (performance.now() - startMs < seconds * 1000) {
    const due = Math.floor(((performance.now() - startMs) / 1000) * rate)
    for (; total < due; total++) sent.push(askOnce(url, agent, result))
    await delay(5)
  }
  await Promise.all(sent)
  agent.destroy()
  return result
}

async function askOnce(url: string, agent: Agent, result: Flood): Promise<void> {
  const startMs = performance.now()
  const { status, retryAfter } = await ask(url, agent)
  result.statuses[status] = (result.statuses[status] ?? 0) + 1
  if (status === 200) result.slowestMs = Math.max(result.slowestMs, performance.now() - startMs)
  if (status === 503 && retryAfter === undefined) result.withoutRetryAfter += 1
}

/** One question. @returns status 0 where the connection broke */
export function ask(
  url: string,
  agent?: Agent
): Promise<{ status: number; retryAfter?: string | undefined }> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json' }
    const sent = request(`${url}/query`, { method: 'POST', headers, ...(agent && { agent }) }, (response) => {
      response.resume()
      response.on('error', () => resolve({ status: 0 }))
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
      })
    })
    sent.on('error', () => resolve({ status: 0 }))
    sent.end(BODY)
  })
}
