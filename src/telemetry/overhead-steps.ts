/** When to give up what, so that telemetry stays below its limit; pure, so that time can be anything. */

/** What is given up, in this order. */
export const STEPS = ['windows', 'span_rate', 'profiler'] as const
export type Step = (typeof STEPS)[number]

export interface GuardState {
  /** How many of STEPS are taken. */
  taken: number
  /** When that changed. */
  sinceMs: number
  /** Since when the cost asks for the next step. */
  exceedingSinceMs?: number
}

/** In % of a core. */
export interface TelemetryCost {
  /** Of spans, exporters and profilers together. */
  totalPct: number
  /** The profilers' part of it. */
  profilerPct: number
}

/** The first steps come before the limit is passed, … */
const SHED_ABOVE = 0.8
/** … and are taken back well below it: at the limit itself they would come and go. */
const RESTORE_BELOW = 0.5
/** What a step changed has to be seen in the figure before the next one; three of them fit into 30 s. */
export const SETTLE_MS = 8_000
const RESTORE_AFTER_MS = 30_000
/**
 * What exceeds the limit by less than this is given a minute: a burst of requests is over by then, and each step takes
 * something away that somebody set.
 */
const FAR_ABOVE = 2
const PATIENCE_MS = 60_000

/**
 * @param cost what telemetry cost since the last step; null where nobody can tell
 * @returns the state to go to
 */
export function nextState(
  state: GuardState,
  cost: TelemetryCost | null,
  limitPct: number,
  nowMs: number
): GuardState {
  const next = STEPS[state.taken]
  // The profiler is not started again: V8 would have lost the names of optimized functions.
  if (next === undefined || cost === null) return state
  const settledMs = nowMs - state.sinceMs
  if (exceeds(cost, next, limitPct)) {
    const { exceedingSinceMs = nowMs } = state
    const isFar = cost.totalPct > FAR_ABOVE * limitPct
    const isDue = settledMs >= SETTLE_MS && (isFar || nowMs - exceedingSinceMs >= PATIENCE_MS)
    return isDue ? { taken: state.taken + 1, sinceMs: nowMs } : { ...state, exceedingSinceMs }
  }
  const isRestorable = state.taken > 0 && cost.totalPct < RESTORE_BELOW * limitPct
  const taken = isRestorable && settledMs >= RESTORE_AFTER_MS ? state.taken - 1 : state.taken
  return { taken, sinceMs: taken === state.taken ? state.sinceMs : nowMs }
}

/** The profiler is not given up for what the spans cost, since that would not mend it. */
function exceeds({ totalPct, profilerPct }: TelemetryCost, step: Step, limitPct: number): boolean {
  return step === 'profiler' ? profilerPct > limitPct : totalPct > SHED_ABOVE * limitPct
}
