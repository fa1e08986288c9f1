/** What the panels share, and how they hear of a change. */

export const state = {
  /** The diagnosis on the page, with its flame graph; the one before it; and what changed between them. */
  record: undefined,
  previous: undefined,
  comparison: undefined,
  faults: [],
  /** The faults as they were in the run before and in this one; unknown for runs that this page did not start. */
  faultsBefore: undefined,
  faultsAfter: undefined,
  faultsOfRun: undefined,
  /** What the last leak check on this page found. */
  leakCheck: undefined,
  isRunning: false,
  isReachable: true,
  /** The span that the flame graph shows alone; empty for all. */
  span: ''
}

const listeners = new Map()

/**
 * @param {'record' | 'faults' | 'run' | 'reach' | 'span' | 'search' | 'answer' | 'feedback' | 'leak-check'} topic
 * @param {(value?: unknown) => void} listener
 */
export function on(topic, listener) {
  listeners.set(topic, [...(listeners.get(topic) ?? []), listener])
}

export function emit(topic, value) {
  for (const listener of listeners.get(topic) ?? []) listener(value)
}

export function showSpan(span) {
  state.span = span
  emit('span')
}
