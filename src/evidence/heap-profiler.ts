/** The sampling heap profiler: live bytes by allocation site, from boot. */
import { gzipSync } from 'node:zlib'
import pprof from '@datadog/pprof'
import type { Profile } from 'pprof-format'

/**
 * One sample for about so many allocated bytes. With the 512 KB of Go's runtime a query took 0.12 ms longer than
 * without any: V8 copies the name of every frame of the stack.
 */
const SAMPLING_INTERVAL_BYTES = 1024 * 1024
const STACK_DEPTH = 64

/** Call once. Only one sampling heap profiler runs in an isolate: stopping the inspector's ends this one. */
export function startHeapProfiler(): void {
  try {
    pprof.heap.start(SAMPLING_INTERVAL_BYTES, STACK_DEPTH)
  } catch {
    // Datadog's tracer has started it, which can't be asked beforehand; what it samples is the same.
  }
}

export function stopHeapProfiler(): void {
  pprof.heap.stop()
}

/** @returns what is alive now, as far as it was sampled, in objects and bytes by stack */
export function readHeapProfile(): Profile {
  return pprof.heap.profile() as unknown as Profile
}

/** @returns `readHeapProfile` as gzipped pprof */
export function exportHeapProfile(): Uint8Array {
  return gzipSync(readHeapProfile().encode())
}
