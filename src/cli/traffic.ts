/** Sends the sample queries to a service, as a newcomer's traffic would. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import exampleData from '../../example_data.json' with { type: 'json' }

export interface TrafficOptions {
  url: string
  /** Requests in flight at a time. */
  concurrency: number
  /** Ends the traffic; requests in flight are given up. */
  signal: AbortSignal
  /** Requests started a second; fewer when all of `concurrency` are in flight. Unset: as fast as they are answered. */
  rate?: number
  /** It lasts so long, and then until what is in flight is answered. Unset: until `signal` aborts. */
  durationMs?: number
  headers?: Record<string, string>
  onAnswer?: (answer: TrafficAnswer) => void
}

export interface TrafficAnswer {
  ok: boolean
  /** The HTTP status; 0 when no answer came. */
  status: number
  durationMs: number
  traceId: string | undefined
}

/** A failed request is reported to `onAnswer` and does not end the traffic. */
export async function sendSampleQueries(options: TrafficOptions): Promise<void> {
  const {
    signal,
    concurrency,
    rate = Number.POSITIVE_INFINITY,
    durationMs = Number.POSITIVE_INFINITY
  } = options
  const startedAt = performance.now()
  let next = 0
  async function sendOneAfterAnother(): Promise<void> {
    while (true) {
      const turn = next++
      const dueMs = (turn / rate) * 1000
      await delayUntil(startedAt + Math.min(dueMs, durationMs), signal)
      if (signal.aborted || Math.max(dueMs, performance.now() - startedAt) >= durationMs) return
      await sendQuery(exampleData.sample_queries[turn % exampleData.sample_queries.length] ?? '', options)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, sendOneAfterAnother))
}

/** @param timeMs by performance.now(); returns before it when `signal` aborts */
async function delayUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = timeMs - performance.now()
  if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => {})
}

async function sendQuery(query: string, { url, signal, headers, onAnswer }: TrafficOptions): Promise<void> {
  const startedAt = performance.now()
  const measure = () => performance.now() - startedAt
  try {
    const response = await fetch(new URL('/query', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
      signal
    })
    await response.arrayBuffer()
    const traceId = response.headers.get('traceresponse')?.split('-')[1]
    onAnswer?.({ ok: response.ok, status: response.status, durationMs: measure(), traceId })
  } catch {
    if (!signal.aborted) onAnswer?.({ ok: false, status: 0, durationMs: measure(), traceId: undefined })
  }
}
