/** Preloaded into a service: tells, when asked over IPC, how long its main thread was held up at most since it was last asked. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'

export const ASK_LOOP_DELAY = 'loop delay?'

/** Of the monitor's timer, which adds itself to each delay. */
const RESOLUTION_MS = 1
const NANOS_PER_MS = 1e6

const monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
monitor.enable()

process.on('message', function answerLoopDelay(message) {
  if (message !== ASK_LOOP_DELAY) return
  process.send?.({ loopDelayMs: Math.max(0, monitor.max / NANOS_PER_MS - RESOLUTION_MS) })
  monitor.reset()
})
// The listener alone would keep the process from ending.
process.channel?.unref()
