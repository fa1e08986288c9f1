/** What the profilers cost a service at rest, and whether its own figure for all telemetry agrees with on and off. */
import { setTimeout as delay } from 'node:timers/promises'
import { sendAtRate } from '../paced-load.ts'
import type { BenchOptions, OnStep, Section, SectionResult } from '../section.ts'
import { type ServiceProcess, startServiceProcess } from '../service-process.ts'
import { describeSpread, quantile, spreadOf } from '../statistics.ts'
import { takeTurn, warmUp } from '../turns.ts'

const MAX_AT_REST_PCT = 2
const MAX_DISAGREEMENT = 2
/** What the load left to be done has ended by then. */
const SETTLE_MS = 3_000
/** The service's own figure is that of the last 8 s. */
const MIN_LOAD_SECONDS = 12

interface Run {
  /** In % of a core. */
  restPct: number
  loadPct: number
  /** The service's own figure under load; null without a profiler. */
  guardPct: number | null
}

const CASES = {
  bare: { TRACING_ENABLED: 'false' },
  spans: { PROFILER_ENABLED: 'false' },
  all: {}
} satisfies Record<string, Record<string, string>>
type Case = keyof typeof CASES

export const profilersSection: Section = {
  name: 'profilers',
  describes: "the profilers at rest, and the overhead guard's figure against on and off",
  run: measureProfilers
}

async function measureProfilers(options: BenchOptions, onStep: OnStep): Promise<SectionResult> {
  const runs: Record<Case, Run[]> = { bare: [], spans: [], all: [] }
  const cases = Object.keys(CASES) as Case[]
  const steps = cases.length * (1 + options.rounds)
  const services = new Map<Case, ServiceProcess>()
  let step = 0
  try {
    for (const name of cases) {
      onStep(`warm-up: ${name}`, step++, steps)
      const service = await startServiceProcess(CASES[name])
      services.set(name, service)
      await warmUp(service)
    }
    for (let round = 0; round < options.rounds; round++) {
      for (const name of round % 2 === 0 ? cases : cases.toReversed()) {
        onStep(`round ${round + 1}: ${name}`, step++, steps)
        const service = services.get(name) as ServiceProcess
        runs[name].push(await takeTurn(service, () => measure(service, options)))
      }
    }
  } finally {
    await Promise.all([...services.values()].map((service) => service.stop()))
  }
  return conclude(runs, options)
}

async function measure(service: ServiceProcess, { rate, seconds }: BenchOptions): Promise<Run> {
  async function measurePct(what: () => Promise<unknown>): Promise<number> {
    const startedAt = performance.now()
    const before = await service.readUsage()
    await what()
    const after = await service.readUsage()
    return ((after.cpuMs - before.cpuMs) / (performance.now() - startedAt)) * 100
  }

  const loadSeconds = Math.max(seconds, MIN_LOAD_SECONDS)
  const loadPct = await measurePct(() => sendAtRate(service.url, { rate, seconds: loadSeconds }))
  const guardPct = await readGuardPct(service.url)
  await delay(SETTLE_MS)
  const restPct = await measurePct(() => delay(seconds * 1000))
  return { restPct, loadPct, guardPct }
}

async function readGuardPct(url: string): Promise<number | null> {
  const response = await fetch(`${url}/apm/metrics`)
  const { overhead_guard } = (await response.json()) as {
    overhead_guard: { telemetry_pct_of_core: number | null }
  }
  return overhead_guard.telemetry_pct_of_core
}

function conclude(runs: Record<Case, Run[]>, { rounds, seconds, rate }: BenchOptions): SectionResult {
  const median = (values: number[]) => quantile(values, 0.5)
  const differences = (read: (run: Run) => number, on: Case, off: Case) =>
    runs[on].map((run, i) => read(run) - read(runs[off][i] as Run))
  const atRest = spreadOf(differences(({ restPct }) => restPct, 'all', 'spans'))
  const underLoad = spreadOf(differences(({ loadPct }) => loadPct, 'all', 'bare'))
  const guard = spreadOf(runs.all.flatMap(({ guardPct }) => guardPct ?? []))
  const factor = Math.max(guard.median / underLoad.median, underLoad.median / guard.median)
  return {
    title: 'The profilers at rest, and what the service says of itself',
    tables: [
      {
        columns: ['telemetry', 'at rest, % of a core', `at ${rate} requests/s, % of a core`],
        rows: (Object.keys(runs) as Case[]).map((name) => [
          name,
          median(runs[name].map(({ restPct }) => restPct)).toFixed(2),
          median(runs[name].map(({ loadPct }) => loadPct)).toFixed(2)
        ])
      }
    ],
    targets: [
      {
        promise: `the profilers take at most ${MAX_AT_REST_PCT} % of a core at rest`,
        measured: `${describeSpread(atRest)} %`,
        isMet: atRest.median <= MAX_AT_REST_PCT
      },
      {
        promise: `the guard's own figure agrees with on and off within a factor of ${MAX_DISAGREEMENT}`,
        measured: `${describeSpread(guard)} % of its own, ${describeSpread(underLoad)} % on against off`,
        isMet: factor <= MAX_DISAGREEMENT
      }
    ],
    notes: [
      `${rounds} rounds, bare, spans and all in turn, each in one process for all of them, paused out of its turn: ${Math.max(seconds, MIN_LOAD_SECONDS)} s of load, then ${seconds} s at rest.`
    ],
    measurements: runs
  }
}
