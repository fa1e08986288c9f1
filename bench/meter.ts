/** Preloaded into each service that is measured: tells, when asked over IPC, what the process has used so far. */
import process from 'node:process'

/** What one process has used since its start. */
export interface Usage {
  /** User and system time of all its threads, in ms; its child processes' are not in it. */
  cpuMs: number
  rssMb: number
}

export const ASK_USAGE = 'usage?'

process.on('message', function answerUsage(message) {
  if (message !== ASK_USAGE) return
  const { user, system } = process.cpuUsage()
  const usage: Usage = { cpuMs: (user + system) / 1000, rssMb: process.memoryUsage.rss() / 2 ** 20 }
  process.send?.({ usage })
})
// The listener alone would keep the process from ending.
process.channel?.unref()
