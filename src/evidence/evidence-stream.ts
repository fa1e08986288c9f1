/**
 * Records a window in parts. Each step of reading holds the main thread up the longer the more it reads: so it is
 * done twice a second, a step a turn of the event loop, and what is left is to be concluded on another thread.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { readCoreWaitMs } from './core-wait.ts'
import { type CpuSample, decodeCpuSamples } from './cpu-samples.ts'
import { type LineCapture, openLineCapture, readCallerLines, readPositionTicks } from './line-profiler.ts'
import { closeCpuCapture, MIN_PROFILE_MS, openCpuCapture, readCpuCapture } from './profiler.ts'
import { type RecordedSpan, spanRecorder } from './span-recorder.ts'
import { type CapturedPlan, planCapture } from './sql/plan-capture.ts'
import { windowGate } from './window-gate.ts'

/** What was recorded since the part before, as plain data; the times and counts are those of the whole window. */
export interface EvidencePart {
  /** Milliseconds since the Unix epoch. */
  startMs: number
  endMs: number
  /** Those that ended; with the last part also those still running. */
  spans: RecordedSpan[]
  /** How many spans still run, but for the last part. */
  unfinishedSpans: number
  droppedSpans: number
  /** The main thread's samples in order of time, idle ones included. */
  samples: CpuSample[]
  lines: LineCapture
  /** With the last part: of each statement the slowest execution's, where the window was to take plans. */
  plans: CapturedPlan[]
  /** The longest that the window has held the main thread up in one go, in ms. */
  pauseMs: number
  isLast: boolean
}

export interface EvidenceStream {
  /** Resolves once the last part was handed over. */
  close(): Promise<void>
}

const READ_EVERY_MS = 500

/**
 * From its opening until its last part is read, some 100 ms after the last span it takes: a window that opened in
 * between would lose its profile to the one that ends.
 */
let isOpen = false

/** @returns whether there is a window, of which there can be only one */
export function isWindowOpen(): boolean {
  return isOpen
}

/**
 * Opens the window; only one can be open at a time.
 * @param takesPlans whether the database tells the plans of its statements, which costs it some time
 * @throws WindowsShutError, or Error when one is open
 */
export function streamEvidence(
  onPart: (part: EvidencePart) => void,
  { takesPlans = false } = {}
): EvidenceStream {
  windowGate.pass()
  if (isOpen) throw new Error('a window is open already')
  let pauseMs = 0
  let coreWaitMs = readCoreWaitMs()

  function pause<T>(step: () => T): T {
    const startedAt = performance.now()
    const result = step()
    pauseMs = Math.max(pauseMs, performance.now() - startedAt)
    return result
  }

  async function nextPause<T>(step: () => T): Promise<T> {
    await setImmediate()
    return pause(step)
  }

  function takeCoreWait(): number {
    const before = coreWaitMs
    coreWaitMs = readCoreWaitMs()
    return coreWaitMs - before
  }

  /** @param rest what was left when the window closed */
  async function readPart(rest?: Pick<EvidencePart, 'spans' | 'plans' | 'endMs'>): Promise<void> {
    const isLast = rest !== undefined
    const profiles = await nextPause(readCpuCapture)
    const endMs = rest?.endMs ?? Date.now()
    const coreWait = takeCoreWait()
    const samples = await nextPause(() => profiles.flatMap((profile) => decodeCpuSamples(profile, coreWait)))
    const callerLines = await nextPause(() => readCallerLines(isLast))
    const positionTicks = await nextPause(() => readPositionTicks(isLast))
    await nextPause(() =>
      onPart({
        startMs,
        endMs,
        spans: rest?.spans ?? spanRecorder.takeEndedSpans(),
        unfinishedSpans: spanRecorder.unfinishedSpans,
        droppedSpans: spanRecorder.droppedSpans,
        samples: samples.filter(({ timestampMicros: at }) => at >= startMs * 1000 && at <= endMs * 1000),
        lines: { positionTicks, ...(callerLines ? { callerLines } : {}) },
        plans: rest?.plans ?? [],
        pauseMs,
        isLast
      })
    )
  }

  pause(openLineCapture)
  pause(openCpuCapture)
  const startMs = Date.now()
  isOpen = true
  spanRecorder.open()
  if (takesPlans) planCapture.open()
  let reading = Promise.resolve()
  const timer = setInterval(function readNext() {
    reading = reading.then(() => readPart())
    // Whoever closes the window is told.
    reading.catch(() => {})
  }, READ_EVERY_MS)

  async function close(): Promise<void> {
    clearInterval(timer)
    const rest = {
      endMs: Date.now(),
      spans: spanRecorder.close(),
      plans: takesPlans ? planCapture.close() : []
    }
    try {
      await reading
      // What was sampled just now can't be cut out yet.
      await delay(MIN_PROFILE_MS)
      await readPart(rest)
    } finally {
      closeCpuCapture()
      isOpen = false
    }
  }

  return { close }
}
