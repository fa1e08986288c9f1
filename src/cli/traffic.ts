/** Sends the sample queries to a service, as a newcomer's traffic would. */
import exampleData from '../../example_data.json' with { type: 'json' }

export interface TrafficOptions {
  url: string
  /** Requests in flight at a time. */
  concurrency: number
  /** Ends the traffic; requests in flight are given up. */
  signal: AbortSignal
  headers?: Record<string, string>
  onAnswer?: (outcome: { ok: boolean; status: number }) => void
}

/** @returns when `signal` aborts; a failed request is reported to `onAnswer` and does not end the traffic */
export async function sendSampleQueries(options: TrafficOptions): Promise<void> {
  let next = 0
  async function sendOneAfterAnother(): Promise<void> {
    while (!options.signal.aborted) {
      const query = exampleData.sample_queries[next++ % exampleData.sample_queries.length] ?? ''
      await sendQuery(query, options)
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, sendOneAfterAnother))
}

async function sendQuery(query: string, { url, signal, headers, onAnswer }: TrafficOptions): Promise<void> {
  try {
    const response = await fetch(new URL('/query', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
      signal
    })
    await response.arrayBuffer()
    onAnswer?.({ ok: response.ok, status: response.status })
  } catch {
    if (!signal.aborted) onAnswer?.({ ok: false, status: 0 })
  }
}
