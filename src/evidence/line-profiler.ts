/**
 * Lines for the labelled profile, which knows only where a function begins.
 *
 * Two more views of the same stacks, taken during a window only:
 * - the inspector's position ticks: the line of the frame on top of the stack;
 * - V8's caller-line mode: for each frame below the top, the line of the call it is in. Without it the line
 *   of a call into native code (a regular expression, structuredClone, node:fs) can't be told.
 */
import inspector from 'node:inspector'
import { createRequire } from 'node:module'
import { readProfilerCpuMs } from './profiler-overhead.ts'
import { SAMPLING_INTERVAL_MICROS } from './sampling.ts'

/** A profile in V8's caller-line mode; `lineno` is the line in the frame *below* from which this one was called. */
export interface CallerLineProfile {
  samples: { stack_id: number; elapsed_since_start_ns: string }[]
  /** Indices into `frames`, leaf first. */
  stacks: number[][]
  frames: { function: string; lineno: number; abs_path?: string }[]
}

export interface LineCapture {
  positionTicks: Pick<inspector.Profiler.Profile, 'nodes'>
  /** Absent where no binary of the native profiler fits this platform. */
  callerLines?: CallerLineProfile
}

interface CallerLineProfiler {
  startProfiling(name: string): void
  stopProfiling(name: string, format: 0): CallerLineProfile | null
}

/**
 * A profile held open keeps the names and lines of optimized functions: what is running on-stack replaced when a
 * profile begins has none, and its beginning takes 70 to 300 ms. It grows by 22 bytes a sample.
 */
const KEEPER_ROTATION_MS = 20_000

let session: inspector.Session | undefined
let callerLineProfiler: CallerLineProfiler | undefined
let keeperTimer: NodeJS.Timeout | undefined
let keeperNumber = 0
let callerLinesNumber = 0

/** Makes lines available to later windows. Call once, at boot: code optimized before it has no lines. */
export function startLineProfiler(): void {
  session = new inspector.Session()
  session.connect()
  post('Profiler.enable')
  // Before the keeper: the interval can't be changed while a profile runs, and the default costs 3-4 % of a core.
  post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_MICROS })
  profileConsole.profile(keeperName())
  keeperTimer = setInterval(rotateKeeper, KEEPER_ROTATION_MS).unref()
  callerLineProfiler = loadCallerLineProfiler()
  // The first start makes V8 log every function compiled from now on; the profile itself is not wanted.
  callerLineProfiler?.startProfiling(callerLinesName())
  callerLineProfiler?.stopProfiling(callerLinesName(), 0)
}

export function isLineProfilerStarted(): boolean {
  return session !== undefined
}

export function stopLineProfiler(): void {
  clearInterval(keeperTimer)
  profileConsole.profileEnd(keeperName())
  session?.disconnect()
  session = undefined
}

export function openLineCapture(): void {
  post('Profiler.start')
  callerLineProfiler?.startProfiling(callerLinesName())
}

/** @returns the position ticks since the opening or the last call, whose recording goes on unless it `isLast` */
export function readPositionTicks(isLast: boolean): LineCapture['positionTicks'] {
  const { profile } = post('Profiler.stop') as inspector.Profiler.StopReturnType
  if (!isLast) post('Profiler.start')
  return { nodes: profile.nodes }
}

/** As `readPositionTicks`, for the caller lines. */
export function readCallerLines(isLast: boolean): CallerLineProfile | undefined {
  const ended = callerLinesName()
  callerLinesNumber += 1
  // Before the other ends: without any profile V8 would end the sampling thread, too.
  if (!isLast) callerLineProfiler?.startProfiling(callerLinesName())
  // With the last one its sampling thread ends, and takes along what it has used.
  else readProfilerCpuMs()
  return callerLineProfiler?.stopProfiling(ended, 0) ?? undefined
}

/** The inspector's console: reaches the session above without printing anything. */
const profileConsole = inspector.console as unknown as Record<
  'profile' | 'profileEnd',
  (name: string) => void
>

function keeperName(): string {
  return `keeper ${keeperNumber}`
}

function callerLinesName(): string {
  return `caller lines ${callerLinesNumber}`
}

function rotateKeeper(): void {
  const previous = keeperName()
  keeperNumber += 1
  profileConsole.profile(keeperName())
  profileConsole.profileEnd(previous)
}

function post(method: string, params?: object): unknown {
  if (session === undefined) throw new Error('the line profiler is not started')
  let result: unknown
  // An in-process session calls back before post returns.
  session.post(method, params, function keepResult(error, value) {
    if (error) throw error
    result = value
  })
  return result
}

function loadCallerLineProfiler(): CallerLineProfiler | undefined {
  try {
    return createRequire(import.meta.url)('@sentry-internal/node-cpu-profiler').CpuProfilerBindings
  } catch {
    return undefined
  }
}
