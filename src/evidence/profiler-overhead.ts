/**
 * What the CPU profiler costs: the CPU time of the threads on which V8 works through the samples, and that of
 * cutting profiles on the main thread. Not in it, since it can't be told from the interrupted code: the interruption
 * itself, some microseconds a sample.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { sum } from './tally.ts'

/** V8's own name for them (src/profiler/cpu-profiler.cc), as Linux keeps it: 15 characters. */
const PROFILER_THREAD = 'v8:ProfEvntProc'
const THREADS_DIR = '/proc/self/task'
const READ_EVERY_MS = 15_000
const WINDOW_MS = 60_000
const NANOS_PER_MS = 1e6

interface Reading {
  atMs: number
  cpuMs: number
}

export interface ProfilerOverhead {
  /** Null where the platform does not tell the CPU time of threads. */
  pctOfCore: number | null
  measuredMs: number
}

let readings: Reading[] = []
let mainThreadCpuMs = 0
/** By thread, as last read: what a thread has used is not told any more once it has ended, as after each window. */
let runningThreads = new Map<string, number>()
let endedThreadsCpuMs = 0
let timer: NodeJS.Timeout | undefined

export function startOverheadWatch(): void {
  readings = [readCpu()]
  timer = setInterval(keepReading, READ_EVERY_MS).unref()
}

export function stopOverheadWatch(): void {
  clearInterval(timer)
}

/** Runs `fn` and adds its CPU time to the profiler's. */
export function chargeToProfiler<T>(fn: () => T): T {
  const before = process.threadCpuUsage()
  const result = fn()
  const { user, system } = process.threadCpuUsage(before)
  mainThreadCpuMs += (user + system) / 1000
  return result
}

/** Over the last minute, or since the profiler's start where that was later. */
export function reportProfilerOverhead(): ProfilerOverhead {
  const now = readCpu()
  const since = readings[0] ?? now
  const measuredMs = now.atMs - since.atMs
  const pctOfCore = ((now.cpuMs - since.cpuMs) / measuredMs) * 100
  return { pctOfCore: Number.isFinite(pctOfCore) ? pctOfCore : null, measuredMs }
}

function keepReading(): void {
  const now = readCpu()
  readings = [...readings.filter(({ atMs }) => now.atMs - atMs <= WINDOW_MS - READ_EVERY_MS), now]
}

function readCpu(): Reading {
  return { atMs: performance.now(), cpuMs: readProfilerCpuMs() }
}

/** All that it has cost so far; NaN where the platform does not tell the CPU time of threads. */
export function readProfilerCpuMs(): number {
  return mainThreadCpuMs + readProfilerThreadsCpuMs()
}

/** @returns the CPU time of V8's sampling threads, those that have ended included; NaN where there is no /proc */
function readProfilerThreadsCpuMs(): number {
  try {
    const running = new Map(
      readdirSync(THREADS_DIR).flatMap((threadId) => readProfilerThread(threadId) ?? [])
    )
    for (const [threadId, cpuMs] of runningThreads) {
      if (!running.has(threadId)) endedThreadsCpuMs += cpuMs
    }
    runningThreads = running
    return endedThreadsCpuMs + sum(running.values())
  } catch {
    return Number.NaN
  }
}

/** @returns undefined for other threads, and for one that ends meanwhile */
function readProfilerThread(threadId: string): [[string, number]] | undefined {
  try {
    const name = readFileSync(`${THREADS_DIR}/${threadId}/comm`, 'utf8').trim()
    if (name !== PROFILER_THREAD) return undefined
    const [cpuNanos] = readFileSync(`${THREADS_DIR}/${threadId}/schedstat`, 'utf8').split(' ')
    return [[threadId, Number(cpuNanos) / NANOS_PER_MS]]
  } catch {
    return undefined
  }
}
