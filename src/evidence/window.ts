/** A window of evidence: everything that is recorded between its opening and its closing, as plain data. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { type CpuSample, decodeCpuSamples } from './cpu-samples.ts'
import { createLineIndex, type LineIndex, NO_LINES } from './line-index.ts'
import { closeLineCapture, openLineCapture } from './line-profiler.ts'
import { closeCpuCapture, MIN_PROFILE_MS, openCpuCapture, readCpuCapture } from './profiler.ts'
import { type RecordedSpan, spanRecorder } from './span-recorder.ts'
import { type CapturedPlan, planCapture } from './sql/plan-capture.ts'

export interface Evidence {
  /** Milliseconds since the Unix epoch. */
  startMs: number
  endMs: number
  spans: RecordedSpan[]
  droppedSpans: number
  /** The main thread's samples in order of time, idle ones included. */
  samples: CpuSample[]
  lines: LineIndex
  /** Of each statement the slowest execution's, where the window was to take plans. */
  plans: CapturedPlan[]
  /** The longest that the window held the main thread up in one go, in ms. */
  pauseMs: number
}

export interface EvidenceWindow {
  /** The evidence so far, with the spans that ended and without lines. */
  peek(): Evidence
  close(): Promise<Evidence>
}

/**
 * Opens the window; only one can be open at a time.
 * @param takesPlans whether the database tells the plans of its statements, which costs it some time
 * @throws Error when one is open
 */
export function openEvidenceWindow({ takesPlans = false } = {}): EvidenceWindow {
  if (spanRecorder.isOpen) throw new Error('a window is open already')
  let pauseMs = 0
  const samples: CpuSample[] = []

  function pause<T>(step: () => T): T {
    const startedAt = performance.now()
    const result = step()
    pauseMs = Math.max(pauseMs, performance.now() - startedAt)
    return result
  }

  pause(openLineCapture)
  pause(openCpuCapture)
  const startMs = Date.now()
  spanRecorder.open()
  if (takesPlans) planCapture.open()

  function readSamples(): void {
    for (const profile of pause(readCpuCapture)) {
      const decoded = decodeCpuSamples(profile)
      samples.push(...decoded.filter((sample) => sample.timestampMicros >= startMs * 1000))
    }
  }

  function peek(): Evidence {
    readSamples()
    return {
      startMs,
      endMs: Date.now(),
      spans: [...spanRecorder.endedSpans],
      droppedSpans: spanRecorder.droppedSpans,
      samples,
      lines: NO_LINES,
      plans: [],
      pauseMs
    }
  }

  async function close(): Promise<Evidence> {
    const { droppedSpans } = spanRecorder
    const spans = spanRecorder.close()
    const plans = takesPlans ? planCapture.close() : []
    const endMs = Date.now()
    // One step a turn of the event loop, so that requests get in between.
    await delay(MIN_PROFILE_MS)
    readSamples()
    closeCpuCapture()
    await setImmediate()
    const lineCapture = pause(closeLineCapture)
    await setImmediate()
    return {
      startMs,
      endMs,
      spans,
      droppedSpans,
      samples: samples.filter((sample) => sample.timestampMicros <= endMs * 1000),
      lines: createLineIndex(lineCapture),
      plans,
      pauseMs
    }
  }

  return { peek, close }
}
