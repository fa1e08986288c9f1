/** A CPU profile of the next moments, as a file that other tools read. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { streamEvidence } from './evidence-stream.ts'

export interface CapturedProfile {
  /** Gzipped pprof. */
  profile: Uint8Array
  /** Of all spans that there were. */
  spanNames: Set<string>
}

const WORKER_HEAP_MB = 512

/**
 * @param spanName keeps only the samples of spans of this name
 * @param untilOver resolves when the profile may end, rejects when nobody wants it any more
 * @throws WindowsShutError, Error when another window is open, and what `untilOver` rejects with
 */
export async function captureCpuProfile(
  spanName: string | undefined,
  untilOver: Promise<unknown>
): Promise<CapturedProfile> {
  const spanNames = new Set<string>()
  const stream = streamEvidence(function handOver(part) {
    for (const { name } of part.spans) spanNames.add(name)
    worker.postMessage(part)
  })
  const worker = new Worker(new URL('./pprof-worker.ts', import.meta.url), {
    // Not the parent's: a preloaded telemetry/start.ts would start a second service's worth of tracing.
    execArgv: [],
    env: {},
    workerData: spanName,
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB }
  })
  const exported = once(worker, 'message')
  try {
    // `exported` comes before the window's end only where the thread fails.
    await Promise.race([untilOver, exported]).finally(stream.close)
    const [profile] = (await exported) as [Uint8Array]
    return { profile, spanNames }
  } finally {
    await worker.terminate()
  }
}
