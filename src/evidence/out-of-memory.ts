/** Writes what fills the heap before V8 ends the process for it. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { gzipSync } from 'node:zlib'
import pprof from '@datadog/pprof'
import { BYTES_PER_MB } from './memory/megabytes.ts'

/** Room for writing the profile; once, so that a leak can't push the limit ever further. */
const EXTENSION_BYTES = 64 * BYTES_PER_MB
const MAX_EXTENSIONS = 1

/**
 * To be called while the heap profiler runs, once. When the heap reaches its limit a gzipped pprof heap profile is
 * written and told of; then the process runs on until its heap is full again. Nothing is written where V8 leaves no
 * JavaScript time to run, as in the midst of one huge allocation, or where Datadog's tracer watches instead.
 * @param tell called with the file's path, or with why there is none
 */
export function writeProfileNearHeapLimit(
  directory: string,
  tell: (outcome: { file: string } | { error: unknown }) => void
): void {
  function writeProfile(profile: { encode(): Uint8Array }): void {
    const file = path.join(directory, `heap-${process.pid}-${Date.now()}.pb.gz`)
    try {
      writeFileSync(file, gzipSync(profile.encode()), { mode: 0o600 })
      tell({ file })
    } catch (error) {
      tell({ error })
    }
  }

  pprof.heap.monitorOutOfMemory(
    EXTENSION_BYTES,
    MAX_EXTENSIONS,
    false,
    [],
    writeProfile,
    pprof.heap.CallbackMode.Interrupt
  )
}
