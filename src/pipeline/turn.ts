import { setImmediate as nextTurn } from 'node:timers/promises'

/** Whoever waits for a turn, the longest first. */
const waiting: (() => void)[] = []

/**
 * Resolves in a turn of the event loop that is the caller's alone: what computes at length begins here. Were many to
 * begin in one turn, nothing would be read, no timer would fire and nobody be refused until the last of them is done.
 */
export async function takeTurn(): Promise<void> {
  // After a long computation a client's leaving lies unread: noticed in one turn, told in the next.
  await nextTurn()
  await new Promise<void>(function waitInLine(resolve) {
    waiting.push(resolve)
    if (waiting.length === 1) setImmediate(passTurnOn)
  })
}

function passTurnOn(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(passTurnOn)
}
