/** How much work is taken on at once: so much runs, so much waits its turn, and the rest is told to come again. */
import { SpanKind } from '@opentelemetry/api'
import { HttpError } from './errors.ts'
import { traced } from './telemetry/traced.ts'

export interface AdmissionLimits {
  maxConcurrent: number
  maxWaiting: number
  /** Who waited so long is refused too: the time that is left would not suffice, and would be lost to others. */
  maxWaitMs: number
}

export interface Admission {
  readonly running: number
  readonly waiting: number
  /** Refused since the start. */
  readonly refused: number
  /**
   * Runs `work` in its turn, first come first served. The wait, where there is one, is a span of its own.
   * @param signal who is not yet running leaves the queue when it aborts
   * @throws HttpError 503 when too many wait already or its turn does not come, and the signal's reason
   */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function createAdmission({ maxConcurrent, maxWaiting, maxWaitMs }: AdmissionLimits): Admission {
  /** In the order in which they came. */
  const queue = new Set<() => void>()
  let running = 0
  let refused = 0

  async function run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (running < maxConcurrent) running += 1
    else await waitForTurn(signal)
    try {
      return await work()
    } finally {
      passTurnOn()
    }
  }

  async function waitForTurn(signal: AbortSignal): Promise<void> {
    if (queue.size >= maxWaiting) throw refuse(`${running} requests run and ${queue.size} wait already.`)
    const attributes = { 'admission.running': running, 'admission.waiting_before': queue.size }
    // CLIENT: it waits for something that is not its own work, which explains the wait to a diagnosis.
    await traced('admission.wait', attributes, () => enqueue(signal), SpanKind.CLIENT)
  }

  function enqueue(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      function takeTurn(): void {
        forgetListeners()
        resolve()
      }
      function leave(reason: unknown): void {
        queue.delete(takeTurn)
        forgetListeners()
        reject(reason)
      }
      function forgetListeners(): void {
        clearTimeout(timer)
        signal.removeEventListener('abort', leaveWithCaller)
      }
      const leaveWithCaller = () => leave(signal.reason)
      signal.throwIfAborted()
      const timer = setTimeout(() => leave(refuse(`It waited ${maxWaitMs} ms in vain.`)), maxWaitMs)
      signal.addEventListener('abort', leaveWithCaller, { once: true })
      queue.add(takeTurn)
    })
  }

  function refuse(message: string): HttpError {
    refused += 1
    return new HttpError(503, 'OVERLOADED', message)
  }

  /** The place goes to the next one without ever being free: no newcomer gets in between. */
  function passTurnOn(): void {
    const [next] = queue
    if (next === undefined) {
      running -= 1
      return
    }
    queue.delete(next)
    next()
  }

  return {
    run,
    get running() {
      return running
    },
    get waiting() {
      return queue.size
    },
    get refused() {
      return refused
    }
  }
}
