/**
 * What a leak check costs the requests beside it: p99 of POST /query while checks run, against p99 at rest.
 * `node bench/leak-check-beside-traffic.ts [--rounds N]`; prints JSON, exits with 1 where a request failed.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { findOrStartService, type RunningService } from '../src/cli/service.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } })
const ROUNDS = Number(values.rounds)
const QUERIES_PER_S = 10
const PHASE_S = 8

async function ask(service: RunningService): Promise<number> {
  const startMs = performance.now()
  const response = await fetch(new URL('/query', service.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'What documentation is needed for a GDPR audit?' })
  })
  await response.text()
  return response.ok ? performance.now() - startMs : Number.NaN
}

/** Sends at a steady rate, however slow the answers are, until `isOver`. @returns durations in ms, NaN for a failure */
async function sendUntil(service: RunningService, isOver: () => boolean): Promise<number[]> {
  const pending: Promise<number>[] = []
  while (!isOver()) {
    pending.push(ask(service).catch(() => Number.NaN))
    await delay(1000 / QUERIES_PER_S)
  }
  return Promise.all(pending)
}

function sendFor(service: RunningService, seconds: number): Promise<number[]> {
  const endMs = Date.now() + seconds * 1000
  return sendUntil(service, () => Date.now() >= endMs)
}

async function sendBesideChecks(service: RunningService): Promise<number[]> {
  let isOver = false
  const checked = fetch(new URL('/memory/leak-check', service.url), { method: 'POST' }).finally(() => {
    isOver = true
  })
  const durations = await sendUntil(service, () => isOver)
  await (await checked).text()
  return durations
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b)
  return Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN) * 10) / 10
}

// biome-ignore lint/style/noProcessEnv: the service that is started takes its settings from it
Object.assign(process.env, { SIMULATED_LATENCY_SCALE: '0', FAULTS: 'unbounded-document-cache' })
const service = await findOrStartService({
  url: undefined,
  defaultUrl: 'http://127.0.0.1:1',
  onProgress: () => {}
})
try {
  await sendFor(service, PHASE_S)
  const atRest: number[] = []
  const beside: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    atRest.push(...(await sendFor(service, PHASE_S)))
    beside.push(...(await sendBesideChecks(service)))
  }
  const failed = [...atRest, ...beside].filter(Number.isNaN).length
  const [restP99, besideP99] = [quantile(atRest, 0.99), quantile(beside, 0.99)]
  const report = {
    at_rest: { requests: atRest.length, p50_ms: quantile(atRest, 0.5), p99_ms: restP99 },
    beside_checks: { requests: beside.length, p50_ms: quantile(beside, 0.5), p99_ms: besideP99 },
    p99_ratio: Math.round((besideP99 / restP99) * 100) / 100,
    failed
  }
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  process.exitCode = failed > 0 ? 1 : 0
} finally {
  await service.stop()
}
