import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../processes.ts'
import { descendantsOf, startServer, untilGone } from '../server-process.ts'

const CLIENTS = 8

/** What the clients of one trial saw. */
interface Outcome {
  /** Trace ids. */
  answered: string[]
  /** Told to go elsewhere: 503 with Retry-After, or the port is closed. */
  refused: number
  /** Sent, and cut off without an answer. */
  lost: (number | string)[]
}

/**
 * Ends the service with SIGTERM while clients ask it without a pause, after another delay in each trial.
 * @throws AssertionError for a lost answer, a process left over, or an exit code other than 0
 */
export async function endUnderLoad(trials: number): Promise<void> {
  for (let trial = 0; trial < trials; trial++) {
    const { child, url } = await startServer()
    const descendants = descendantsOf(child.pid)
    const { outcome, clients } = startClients(url)
    await until('the first answer', () => outcome.answered.length > 0)
    await delay((trial * 37) % 400)
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null], `trial ${trial}`)
    await clients
    await untilGone(descendants)
    assert.deepEqual(outcome.lost, [], `trial ${trial}: ${JSON.stringify(outcome)}`)
    assert(outcome.refused > 0, `trial ${trial}: ${JSON.stringify(outcome)}`)
  }
}

/** Clients that ask without a pause; `clients` settles when each of them was turned away. */
export function startClients(url: string): { outcome: Outcome; clients: Promise<unknown> } {
  const outcome: Outcome = { answered: [], refused: 0, lost: [] }
  const clients = Promise.all(Array.from({ length: CLIENTS }, () => askUntilRefused(url, outcome)))
  return { outcome, clients }
}

/** One client with one connection that it keeps alive; it goes away when it is told to. */
async function askUntilRefused(url: string, outcome: Outcome): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (true) {
    const { status, retryAfter, traceId = '' } = await ask(url, agent).catch(describeFailure)
    if (status === 200) outcome.answered.push(traceId)
    else if (status === 'ECONNREFUSED' || (status === 503 && retryAfter !== undefined)) outcome.refused += 1
    else outcome.lost.push(status)
    if (status !== 200) break
  }
  agent.destroy()
}

interface Answer {
  status: number | string
  retryAfter?: string | undefined
  traceId?: string | undefined
}

function describeFailure(error: NodeJS.ErrnoException): Answer {
  return { status: error.code ?? String(error) }
}

function ask(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const sent = request(`${url}/query`, { method: 'POST', headers, agent }, (response) => {
      response.resume()
      response.on('error', reject)
      response.on('end', () => {
        const { 'retry-after': retryAfter, traceresponse } = response.headers
        const traceId = String(traceresponse).split('-')[1]
        resolve({ status: response.statusCode ?? 0, retryAfter, traceId })
      })
    })
    sent.on('error', reject)
    sent.end('{"query": "What are the data retention rules?"}')
  })
}
