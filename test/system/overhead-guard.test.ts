/** Telemetry that costs more than it may, in the process that `npm start` runs, under load. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ROOT_DIR } from '../../src/cli/service.ts'
import { sendSampleQueries, type TrafficAnswer } from '../../src/cli/traffic.ts'

/** So low that the profiler's own threads pass it. */
const LIMIT_PCT = 0.01
const SHED_WITHIN_MS = 30_000

interface Guard {
  state: string
  telemetry_pct_of_core: number | null
  limit_pct: number
  shed: string[]
}

let service: ChildProcess
let url: string
let log = ''
const answers: TrafficAnswer[] = []
const traffic = new AbortController()

before(async () => {
  service = spawn(process.execPath, ['--import', './src/telemetry/start.ts', 'src/server.ts'], {
    cwd: ROOT_DIR,
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      FAULTS: 'none',
      SIMULATED_LATENCY_SCALE: '0',
      LOG_LEVEL: 'warn',
      DD_PROFILING_MAX_TIME_USAGE_PCT: String(LIMIT_PCT)
    },
    stdio: ['ignore', 'pipe', 'ignore', 'ipc']
  })
  service.stdout?.on('data', (chunk) => {
    log += chunk
  })
  const [message] = await Promise.race([once(service, 'message'), once(service, 'exit').then(() => [])])
  assert.ok(message, 'the service did not start')
  url = (message as { url: string }).url
  void sendSampleQueries({
    url,
    concurrency: 2,
    signal: traffic.signal,
    onAnswer: (answer) => answers.push(answer)
  })
})

after(async () => {
  traffic.abort()
  service.kill()
  if (service.exitCode === null) await once(service, 'exit')
})

async function readGuard(): Promise<Guard> {
  const response = await fetch(`${url}/apm/metrics`)
  return ((await response.json()) as { overhead_guard: Guard }).overhead_guard
}

async function readRate(): Promise<number> {
  const response = await fetch(`${url}/apm/metrics`)
  return ((await response.json()) as { sampling: { effective_rate: number } }).sampling.effective_rate
}

async function untilShed(count: number, deadlineMs: number): Promise<Guard> {
  while (Date.now() < deadlineMs) {
    const guard = await readGuard()
    if (guard.shed.length >= count) return guard
    await delay(100)
  }
  assert.fail(`not ${count} steps within ${SHED_WITHIN_MS} ms: ${JSON.stringify(await readGuard())}`)
}

test('an overload is shed step by step within 30 s, and every request is answered', async (t) => {
  const startedAt = Date.now()
  const deadlineMs = startedAt + SHED_WITHIN_MS
  assert.equal((await readGuard()).limit_pct, LIMIT_PCT)

  const first = await untilShed(1, deadlineMs)
  assert.deepEqual([first.state, first.shed], ['shedding', ['windows']])
  const refused = await fetch(`${url}/diagnosis`, { method: 'POST' })
  assert.deepEqual(
    [refused.status, ((await refused.json()) as { code: string }).code],
    [503, 'OVERHEAD_LIMIT']
  )
  assert.ok(Number(refused.headers.get('retry-after')) > 0)
  assert.equal((await fetch(`${url}/debug/pprof/profile?seconds=1`)).status, 503)
  assert.equal(await readRate(), 0.1)

  const second = await untilShed(2, deadlineMs)
  assert.deepEqual(second.shed, ['windows', 'span_rate'])
  assert.ok(Math.abs((await readRate()) - 0.01) < 1e-9)

  const third = await untilShed(3, deadlineMs)
  t.diagnostic(`shed in ${Date.now() - startedAt} ms`)
  assert.equal(third.state, 'profiler_stopped')
  const metrics = (await (await fetch(`${url}/apm/metrics`)).json()) as { profiler: { running: boolean } }
  assert.equal(metrics.profiler.running, false)
  const answeredBefore = answers.length
  const off = await fetch(`${url}/diagnosis`, { method: 'POST' })
  assert.deepEqual([off.status, ((await off.json()) as { code: string }).code], [409, 'PROFILER_OFF'])

  while (answers.length < answeredBefore + 10) await delay(20)
  assert.deepEqual(
    answers.filter(({ ok }) => !ok),
    []
  )
  const steps = log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { step?: string; msg: string })
    .flatMap(({ step, msg }) => (step === undefined ? [] : [`${step}: ${/limit|restart/.exec(msg)}`]))
  assert.deepEqual(steps, ['windows: limit', 'span_rate: limit', 'profiler: limit'])
})
