/** How long the main thread was ready to run and got no core: neither computing nor waiting for anything of its own. */
import { readFileSync } from 'node:fs'

const NANOS_PER_MS = 1e6

/** @returns ms since the start of the process; 0 where the platform does not tell (it is Linux that does) */
export function readCoreWaitMs(): number {
  try {
    // Of the process's first thread: time on a core, time waiting for one, turns.
    const [, waitedNanos] = readFileSync('/proc/self/schedstat', 'utf8').split(' ')
    return Number(waitedNanos) / NANOS_PER_MS || 0
  } catch {
    return 0
  }
}
