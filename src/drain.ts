/** How the service stops taking requests without losing one that was sent. */
import type { Server } from 'node:http'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from './errors.ts'

/**
 * How long it goes on listening with nothing left to do: a client that keeps a connection, or is just connecting, then
 * still gets an answer, which tells it to go elsewhere. Closed at once, it would find its connection reset.
 */
const SETTLE_MS = 300
const CHECK_EVERY_MS = 20

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain
  }
}

export interface Drain {
  /** Aborted once nothing new is taken. */
  readonly signal: AbortSignal
  /** From now on nothing new is taken. */
  begin(): void
  /** @throws HttpError 503 for what comes after `begin`, but for health checks */
  refuseLate(request: FastifyRequest, reply: FastifyReply): void
  /**
   * Waits until what came before `begin` is answered, `graceMs` at most.
   * @returns how many requests are not
   */
  untilAnswered(graceMs: number): Promise<number>
  /** Stops listening. */
  stopListening(): Promise<void>
  /** Closes connections on which nothing is asked, so that nobody who only keeps one holds the process up. */
  closeUnused(): void
}

/** @param server one that has not had a request yet */
export function createDrain(server: Server): Drain {
  const draining = new AbortController()
  const { signal } = draining
  let inFlight = 0
  let cameInTime = 0
  let connections = 0

  server.on('request', function countRequest(_request, response) {
    const isInTime = !signal.aborted
    inFlight += 1
    if (isInTime) cameInTime += 1
    response.once('close', function countAnswered() {
      inFlight -= 1
      if (isInTime) cameInTime -= 1
    })
  })

  server.on('connection', function countConnection() {
    connections += 1
  })

  function refuseLate(request: FastifyRequest, reply: FastifyReply): void {
    if (!signal.aborted) return
    reply.header('connection', 'close')
    if (!request.routeOptions.config.anyHost) throw new HttpError(503, 'CLOSING', 'The service is closing.')
  }

  async function untilAnswered(graceMs: number): Promise<number> {
    const endMs = Date.now() + graceMs
    while (cameInTime > 0 && Date.now() < endMs) await delay(CHECK_EVERY_MS)
    await delay(SETTLE_MS)
    return cameInTime
  }

  /** In a moment when nobody waits to be accepted: those the system would reset. */
  async function stopListening(): Promise<void> {
    const endMs = Date.now() + SETTLE_MS
    let accepted = -1
    while (accepted !== connections && Date.now() < endMs) {
      accepted = connections
      await nextTurn()
    }
    server.close()
  }

  /** Node does not count a connection as idle on which no request ever came. */
  function closeUnused(): void {
    if (inFlight === 0) server.closeAllConnections()
    else server.closeIdleConnections()
  }

  return { signal, begin: () => draining.abort(), refuseLate, untilAnswered, stopListening, closeUnused }
}
