import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Polls until `condition` holds. @throws after 10 s */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`waited 10 s in vain: ${what}`)
    await wait(10)
  }
}

/** Whether a process lives; one that ended but was not waited for (an orphan in a container) does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
