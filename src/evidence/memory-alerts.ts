/** What about the process' memory needs somebody's attention, in words. */
import { isSustained } from './growth-rate.ts'
import type { HeapReport } from './heap-watch.ts'
import { BYTES_PER_MB } from './memory/megabytes.ts'
import type { SpanGrowth } from './span-growth.ts'

/** V8 collects ever more often from here on, and ends the process at the limit. */
const MAX_SHARE_OF_LIMIT = 0.85

/**
 * @param spans those in which memory grew by more than a span should
 * @returns only what is certain: of a growth, the whole interval lies above the threshold
 */
export function listMemoryAlerts(
  { growth, currentBytes, heapLimitBytes }: Pick<HeapReport, 'growth' | 'currentBytes' | 'heapLimitBytes'>,
  spans: readonly SpanGrowth[]
): string[] {
  const alerts = spans.map(
    ({ span, bytes, atMs }) =>
      `heap and external memory rose by ${megabytes(bytes)} MB within one ${span} span, ` +
      `at ${new Date(atMs).toISOString()}`
  )
  if (isSustained(growth)) {
    alerts.push(
      `the heap grows by at least ${megabytes(growth.low ?? 0)} MB an hour: ` +
        'POST /memory/leak-check names what keeps it'
    )
  }
  const share = currentBytes / heapLimitBytes
  if (share > MAX_SHARE_OF_LIMIT) {
    alerts.push(
      `the heap is at ${Math.round(share * 100)} % of its limit of ${megabytes(heapLimitBytes)} MB, ` +
        'where the process ends'
    )
  }
  return alerts
}

function megabytes(bytes: number): number {
  return Math.round(bytes / BYTES_PER_MB)
}
