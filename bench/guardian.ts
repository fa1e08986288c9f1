/** Ends what a bench that was itself killed has left behind: a paused service hears neither of that nor of a signal. */
import process from 'node:process'

export interface Guarded {
  pid: number
  isRunning: boolean
}

const pids = new Set<number>()

process.on('message', function keepInMind(message) {
  const { pid, isRunning } = message as Guarded
  if (isRunning) pids.add(pid)
  else pids.delete(pid)
})

process.on('disconnect', function endAll() {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It had ended by itself; the others have not.
    }
  }
})
