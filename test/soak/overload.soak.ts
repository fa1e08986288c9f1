/**
 * Four times the load that the service can serve, with the faults off: no crash, every answer within its time, the
 * rest told to come again, memory level, and itself again soon after. LOAD_MINUTES sets how long.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isRunning } from '../processes.ts'
import { startServer } from '../server-process.ts'
import { ask, flood } from '../system/flood.ts'

const MINUTES = Number(process.env.LOAD_MINUTES ?? 10)
const QUERY_TIMEOUT_MS = 10_000
const MAX_RECOVERY_MS = 5_000
const WARM_UP_S = 10
/** Against the time after the first quarter; what fills caches has filled them by then. */
const MAX_GROWTH = 1.15

/** Questions a second that 16 callers get answered, each asking again at once. */
async function measureCapacity(url: string, seconds: number): Promise<number> {
  const endMs = performance.now() + seconds * 1000
  let answered = 0
  async function call(): Promise<void> {
    while (performance.now() < endMs) if ((await ask(url)).status === 200) answered += 1
  }
  await Promise.all(Array.from({ length: 16 }, call))
  return answered / seconds
}

interface Memory {
  rssMb: number
  heapMb: number
}

async function readMemory(url: string): Promise<Memory> {
  const response = await fetch(`${url}/memory/stats`)
  const { memory_stats: stats } = (await response.json()) as {
    memory_stats: { rss_mb: number; current_mb: number }
  }
  return { rssMb: stats.rss_mb, heapMb: stats.current_mb }
}

async function sampleMemory(url: string, signal: AbortSignal): Promise<Memory[]> {
  const samples: Memory[] = []
  while (!signal.aborted) {
    samples.push(await readMemory(url))
    await delay(1000)
  }
  return samples
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

test(`${MINUTES} minutes at four times what can be served`, async (t) => {
  const { child, url, output } = await startServer({
    QUERY_TIMEOUT_MS: String(QUERY_TIMEOUT_MS),
    LOG_LEVEL: 'warn'
  })
  await measureCapacity(url, WARM_UP_S / 2)
  const capacity = await measureCapacity(url, WARM_UP_S)
  const over = new AbortController()
  const sampling = sampleMemory(url, over.signal)
  const { statuses, slowestMs, withoutRetryAfter } = await flood(url, 4 * capacity, MINUTES * 60)
  const endMs = performance.now()
  const { status } = await ask(url)
  const recoveryMs = performance.now() - endMs
  over.abort()
  const samples = await sampling
  const quarter = Math.floor(samples.length / 4)
  const early = median(samples.slice(quarter, 2 * quarter).map(({ rssMb }) => rssMb))
  const late = median(samples.slice(-quarter).map(({ rssMb }) => rssMb))
  t.diagnostic(
    `${Math.round(capacity)} questions/s can be served; at 4 × that: ${JSON.stringify(statuses)}, ` +
      `slowest answer ${Math.round(slowestMs)} ms, memory ${early} → ${late} MB, ` +
      `next answer ${Math.round(recoveryMs)} ms after the end`
  )
  assert(isRunning(child.pid ?? 0), output().stderr)
  assert.deepEqual(Object.keys(statuses).toSorted(), ['200', '503'])
  assert.equal(withoutRetryAfter, 0)
  assert(slowestMs < QUERY_TIMEOUT_MS + 1000, `${slowestMs} ms`)
  assert.equal(status, 200)
  assert(recoveryMs <= MAX_RECOVERY_MS, `${recoveryMs} ms`)
  assert(late <= early * MAX_GROWTH, `${early} MB in the second quarter, ${late} MB in the last`)
})
