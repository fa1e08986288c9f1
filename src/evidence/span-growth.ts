/** Notices spans in which the heap and what is outside it grew by a lot: what they hold at once can end the process. */
import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { BYTES_PER_MB } from './memory/megabytes.ts'

export interface SpanGrowth {
  span: string
  bytes: number
  atMs: number
}

/** The practical's own threshold for one request. */
const MIN_GROWTH_BYTES = 100 * BYTES_PER_MB
const KEPT_MS = 10 * 60_000
const MAX_KEPT = 10

let growths: SpanGrowth[] = []

/** @returns bytes on the heap and outside it, garbage included; takes about a microsecond */
export function readAllocatedBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

/** A span's beginning may take the reading that another's end took so shortly before: there are ten a request. */
const READING_SERVES_MS = 5
let lastReading = { bytes: 0, atMs: Number.NEGATIVE_INFINITY }

/** @returns `readAllocatedBytes`, of a moment ago at most */
export function readSpanStartBytes(): number {
  const isFresh = performance.now() - lastReading.atMs <= READING_SERVES_MS
  return isFresh ? lastReading.bytes : readNow()
}

function readNow(): number {
  lastReading = { bytes: readAllocatedBytes(), atMs: performance.now() }
  return lastReading.bytes
}

/** @param startBytes from `readSpanStartBytes` when the span began */
export function noteSpanGrowth(span: string, startBytes: number): void {
  const bytes = readNow() - startBytes
  if (bytes > MIN_GROWTH_BYTES) growths = [...growths, { span, bytes, atMs: Date.now() }].slice(-MAX_KEPT)
}

/** @returns those of the last ten minutes, the oldest first */
export function listSpanGrowths(nowMs = Date.now()): SpanGrowth[] {
  return growths.filter(({ atMs }) => nowMs - atMs < KEPT_MS)
}
