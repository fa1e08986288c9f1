/** Measures what telemetry costs this process while it runs, and gives up parts of it before that is too much. */
import { performance } from 'node:perf_hooks'
import type { FastifyBaseLogger } from 'fastify'
import { cutForCosts, isProfilerStarted, onProfileEnd } from '../evidence/profiler.ts'
import { readProfilerCpuMs } from '../evidence/profiler-overhead.ts'
import { stopProfilers } from '../evidence/profilers.ts'
import { SAMPLING_INTERVAL_MICROS } from '../evidence/sampling.ts'
import { spanRecorder } from '../evidence/span-recorder.ts'
import { readThreadTimes, telemetryCpuMs } from '../evidence/telemetry-share.ts'
import { windowGate } from '../evidence/window-gate.ts'
import {
  type GuardState,
  nextState,
  SETTLE_MS,
  STEPS,
  type Step,
  type TelemetryCost
} from './overhead-steps.ts'
import type { AdjustableSampler } from './sampler.ts'

const TICK_MS = 2_000
const NANOS_PER_MS = 1e6
/**
 * While a window is open every request is recorded, because somebody asked for it and for a minute at most: the limit
 * is this much higher for as long, or a diagnosis under load would be refused for the cost of the one before.
 */
const WINDOW_ALLOWANCE = 4
/** The part of the set sampling rate that is left when spans are given up. */
const SHED_RATE_SHARE = 0.1
/**
 * What one sample takes from the code it interrupts; in no profile, since the sample is the interruption. Measured on
 * against off: some 40 us CPU a sample where it wakes an idle loop, which polls again, and below 25 us in a busy one.
 */
const INTERRUPTION_MS = 0.04
/** The labelled profiler's and the line profiler's. */
const SAMPLES_PER_MS = 2 / (SAMPLING_INTERVAL_MICROS / 1000)

export interface OverheadReport {
  state: 'ok' | 'shedding' | 'profiler_stopped' | 'off'
  /** Over the last 8 s, or since the last step. Null without a profiler, which is what it is read from. */
  telemetryPctOfCore: number | null
  limitPct: number
  shed: Step[]
}

export interface OverheadGuard {
  report(): OverheadReport
  stop(): void
}

/** What one profile tells of the main thread; the cutting of profiles is not in it. */
interface ThreadShare {
  endedAtMs: number
  durationMs: number
  telemetryMs: number
}

interface Reading {
  atMs: number
  profilerMs: number
  inWindow: boolean
}

/** A guard for a service without a profiler: there is nothing to measure, and next to nothing to give up. */
export function createIdleGuard(limitPct: number): OverheadGuard {
  return {
    report: () => ({ state: 'off', telemetryPctOfCore: null, limitPct, shed: [] }),
    stop() {}
  }
}

/** Starts to measure; the profilers have to run. */
export function startOverheadGuard(options: {
  limitPct: number
  sampler: AdjustableSampler
  logger: Pick<FastifyBaseLogger, 'warn' | 'info'>
}): OverheadGuard {
  const { limitPct, sampler, logger } = options
  const startedAtMs = performance.now()
  let shares: ThreadShare[] = []
  let state: GuardState = { taken: 0, sinceMs: startedAtMs }
  let readings = [read()]

  function read(): Reading {
    const atMs = performance.now()
    return {
      atMs,
      profilerMs: (readProfilerCpuMs() || 0) + atMs * SAMPLES_PER_MS * INTERRUPTION_MS,
      inWindow: spanRecorder.isOpen
    }
  }

  function measure(): TelemetryCost | null {
    const [first, last] = [readings[0], readings.at(-1)]
    if (!isProfilerStarted() || !first || !last || last.atMs - first.atMs < TICK_MS / 2) return null
    const elapsedMs = last.atMs - first.atMs
    const profilerPct = ((last.profilerMs - first.profilerMs) / elapsedMs) * 100
    return { profilerPct, totalPct: profilerPct + 100 * mainThreadShare(shares) }
  }

  function tick(): void {
    cutForCosts()
    const now = read()
    readings = [...readings.filter(({ atMs }) => now.atMs - atMs <= SETTLE_MS), now]
    shares = shares.filter(({ endedAtMs }) => now.atMs - endedAtMs <= SETTLE_MS)
    const cost = measure()
    const allowance = readings.some(({ inWindow }) => inWindow) ? WINDOW_ALLOWANCE : 1
    const next = nextState(state, cost, allowance * limitPct, now.atMs)
    const { taken } = state
    state = next
    if (next.taken === taken || cost === null) return
    const isShedding = next.taken > taken
    const step = STEPS[isShedding ? taken : next.taken] as Step
    readings = [now]
    shares = []
    if (isShedding) give(step, cost)
    else takeBack(step, cost)
  }

  function give(step: Step, { totalPct, profilerPct }: TelemetryCost): void {
    logger.warn(
      { step, telemetry_pct_of_core: totalPct, profiler_pct_of_core: profilerPct, limit_pct: limitPct },
      `telemetry costs ${totalPct.toFixed(2)} % of a core (limit ${limitPct} %): ${SHEDDING[step]}`
    )
    if (step === 'windows') windowGate.shut()
    if (step === 'span_rate') sampler.rateShare = SHED_RATE_SHARE
    if (step === 'profiler') stopProfilers()
  }

  function takeBack(step: Step, { totalPct }: TelemetryCost): void {
    logger.info(
      { step, telemetry_pct_of_core: totalPct, limit_pct: limitPct },
      `telemetry costs ${totalPct.toFixed(2)} % of a core again (limit ${limitPct} %): ${RESTORING[step]}`
    )
    if (step === 'windows') windowGate.open()
    if (step === 'span_rate') sampler.rateShare = 1
  }

  onProfileEnd(function addShare(profile) {
    const endedAtMs = performance.now()
    const durationMs = Number(profile.durationNanos) / NANOS_PER_MS
    // What was running before holds the start of the process, when telemetry's own modules were loaded.
    if (endedAtMs - durationMs < startedAtMs) return
    shares.push({ endedAtMs, durationMs, telemetryMs: telemetryCpuMs(readThreadTimes(profile)) })
  })
  const timer = setInterval(tick, TICK_MS).unref()

  return {
    report() {
      const cost = measure()
      return {
        state: describeState(state),
        telemetryPctOfCore: cost === null ? null : Number(cost.totalPct.toFixed(3)),
        limitPct,
        shed: STEPS.slice(0, state.taken)
      }
    },
    stop() {
      clearInterval(timer)
      onProfileEnd(undefined)
    }
  }
}

function mainThreadShare(shares: ThreadShare[]): number {
  const totalMs = shares.reduce((sum, { durationMs }) => sum + durationMs, 0)
  return totalMs === 0 ? 0 : shares.reduce((sum, { telemetryMs }) => sum + telemetryMs, 0) / totalMs
}

const SHEDDING: Record<Step, string> = {
  windows: 'no diagnosis and no profile is taken for now',
  span_rate: 'a tenth of the sampling rate applies for now',
  profiler:
    'the profiler is stopped and stays off until a restart, since started again it would not know optimized functions'
}

const RESTORING: Record<Step, string> = {
  windows: 'diagnoses and profiles are taken again',
  span_rate: 'the sampling rate is what was set',
  profiler: ''
}

function describeState({ taken }: GuardState): OverheadReport['state'] {
  if (taken === 0) return 'ok'
  return taken === STEPS.length ? 'profiler_stopped' : 'shedding'
}
