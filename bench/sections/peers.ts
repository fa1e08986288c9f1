/** What each way of watching the same healthy service costs it, measured in turn, round after round. */
import { sum } from '../../src/evidence/tally.ts'
import { installPeers } from '../install-peers.ts'
import { sendAtRate } from '../paced-load.ts'
import { concludePeers, type Measurement } from '../peers-summary.ts'
import type { BenchOptions, OnStep, Section, SectionResult } from '../section.ts'
import { type ServiceProcess, startServiceProcess } from '../service-process.ts'
import { type Sink, startSink } from '../sink.ts'
import { quantile } from '../statistics.ts'
import { takeTurn, WARM_UP_REQUESTS, warmUp } from '../turns.ts'
import { VARIANTS, type Variant } from '../variants.ts'

/** The machine's own speed changes from second to second: whoever is compared has to run close to the other. */
const TURN_SECONDS = 2

/** A variant with its process, which lives through all rounds: fresh ones differed from themselves by a quarter. */
interface Contender {
  variant: Variant
  service: ServiceProcess
  sink: Sink
}

/** What a contender used and answered in one turn. */
interface Turn {
  cpuMs: number
  latenciesMs: number[]
  failed: number
  rssMb: number
}

export const peersSection: Section = {
  name: 'peers',
  describes: 'CPU per request, latency, memory and start-up, bare, ours, and with other means',
  run: comparePeers
}

async function comparePeers(options: BenchOptions, onStep: OnStep): Promise<SectionResult> {
  const turns = Math.ceil(options.seconds / TURN_SECONDS)
  const steps = VARIANTS.length * (options.rounds + 1 + options.rounds * turns)
  let step = 0
  const tell = (doing: string) => onStep(doing, step++, steps)
  await installPeers((text) => onStep(text, 0, steps))
  const startupsMs = await measureStartups(options.rounds, tell)
  const contenders: Contender[] = []
  const measurements: Measurement[] = []
  try {
    for (const variant of VARIANTS) {
      tell(`warm-up: ${variant.name}`)
      const contender = await startContender(variant)
      contenders.push(contender)
      await warmUp(contender.service)
    }
    for (let round = 0; round < options.rounds; round++) {
      measurements.push(...(await measureRound(contenders, round, turns, options.rate, tell)))
    }
  } finally {
    await Promise.all(contenders.map(stopContender))
  }
  return concludePeers(measurements, startupsMs, describeTaking(options))
}

function describeTaking({ rounds, seconds, rate }: BenchOptions): string {
  return (
    `Medians of ${rounds} rounds of ${seconds} s at ${rate} requests a second, ${TURN_SECONDS} s in turn; one process for all ` +
    `rounds, after ${WARM_UP_REQUESTS} requests, paused out of its turn; faults off, no simulated latency.`
  )
}

/** @returns by variant, how long each start took, in ms */
async function measureStartups(
  rounds: number,
  tell: (doing: string) => void
): Promise<Map<string, number[]>> {
  const startupsMs = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    for (const variant of inTurn(VARIANTS, round)) {
      tell(`start ${round + 1}: ${variant.name}`)
      const contender = await startContender(variant)
      await stopContender(contender)
      startupsMs.set(variant.name, [...(startupsMs.get(variant.name) ?? []), contender.service.startupMs])
    }
  }
  return startupsMs
}

async function startContender(variant: Variant): Promise<Contender> {
  const sink = await startSink()
  try {
    return { variant, sink, service: await startServiceProcess(variant.settings(sink.url), variant.preloads) }
  } catch (error) {
    sink.close()
    throw error
  }
}

async function stopContender({ service, sink }: Contender): Promise<void> {
  await service.stop()
  sink.close()
}

async function measureRound(
  contenders: readonly Contender[],
  round: number,
  turns: number,
  rate: number,
  tell: (doing: string) => void
): Promise<Measurement[]> {
  const turnsOf = new Map(contenders.map((contender) => [contender, [] as Turn[]]))
  for (const { sink } of contenders) sink.take()
  for (let turn = 0; turn < turns; turn++) {
    for (const contender of inTurn(contenders, round + turn)) {
      tell(`round ${round + 1}: ${contender.variant.name}`)
      turnsOf.get(contender)?.push(await takeTurn(contender.service, () => measure(contender, rate)))
    }
  }
  return [...turnsOf].map(([contender, itsTurns]) => toMeasurement(contender, itsTurns, round))
}

/** Another one begins each time: what comes after what changes nothing in the end. */
function inTurn<T>(all: readonly T[], time: number): T[] {
  const first = (time * 4) % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

async function measure({ variant, service }: Contender, rate: number): Promise<Turn> {
  const start = await service.readUsage()
  const { latenciesMs, failed } = await sendAtRate(service.url, { rate, seconds: TURN_SECONDS })
  const end = await service.readUsage()
  if (variant.isOurs) await requireRate(service.url, variant)
  return { cpuMs: end.cpuMs - start.cpuMs, latenciesMs, failed, rssMb: end.rssMb }
}

function toMeasurement({ variant, sink }: Contender, turns: readonly Turn[], round: number): Measurement {
  const latenciesMs = turns.flatMap((turn) => turn.latenciesMs)
  const failed = sum(turns.map((turn) => turn.failed))
  return {
    variant: variant.name,
    round,
    cpuMsPerRequest: sum(turns.map(({ cpuMs }) => cpuMs)) / (latenciesMs.length + failed),
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    rssMb: turns.at(-1)?.rssMb ?? Number.NaN,
    answered: latenciesMs.length,
    failed,
    received: sink.take()
  }
}

/** @throws Error where the service did not sample as it was told to */
async function requireRate(url: string, { name, samplingRate }: Variant): Promise<void> {
  const response = await fetch(`${url}/apm/metrics`)
  const { sampling } = (await response.json()) as { sampling: { effective_rate: number } }
  if (sampling.effective_rate !== samplingRate) {
    throw new Error(`"${name}" sampled at ${sampling.effective_rate}, not at ${samplingRate}.`)
  }
}
