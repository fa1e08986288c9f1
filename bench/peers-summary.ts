/** What the measurements of one service, watched by different means, come to. */
import type { Chart, SectionResult, Target } from './section.ts'
import type { Received } from './sink.ts'
import { quantile, type Spread, spreadOf } from './statistics.ts'
import { BARE, CONTROL, VARIANTS, type Variant } from './variants.ts'

/** The first prototype's figures were 0.17 and 0.40 ms. */
const MAX_SPANS_MS = 0.12
const MAX_SPANS_AND_PROFILER_MS = 0.25
/** Of a variant's own median: more between its rounds says that the machine was busy with something else. */
const NOISY_SPREAD = 0.15

/** One variant in one round. */
export interface Measurement {
  variant: string
  round: number
  cpuMsPerRequest: number
  p50Ms: number
  p99Ms: number
  rssMb: number
  answered: number
  failed: number
  received: Received
}

interface Summary {
  variant: Variant
  cpuMs: Spread
  /** Over the bare service of the same round. */
  addedMs: Spread
  ratioToBare: number
  p50Ms: number
  p99Ms: number
  rssMb: number
  startupMs: number
}

/** @param startupsMs by variant @param howTaken for the reader: over how long, under what load */
export function concludePeers(
  measurements: Measurement[],
  startupsMs: ReadonlyMap<string, number[]>,
  howTaken: string
): SectionResult {
  const summaries = VARIANTS.map((variant) =>
    summarize(variant, measurements, startupsMs.get(variant.name) ?? [])
  )
  const noisy = summaries.filter(({ cpuMs }) => (cpuMs.max - cpuMs.min) / cpuMs.median > NOISY_SPREAD)
  const silent = VARIANTS.filter(
    ({ name, samplingRate }) =>
      samplingRate !== null &&
      measurements.every(({ variant, received }) => variant !== name || received.traceRequests === 0)
  )
  const { addedMs: control } = find(summaries, CONTROL)
  return {
    title: 'The same healthy service, watched by different means',
    tables: [
      {
        columns: [
          'variant',
          'rate',
          'CPU ms/request',
          'min – max',
          'added ms',
          '× bare',
          'p50 ms',
          'p99 ms',
          'RSS MB',
          'start s'
        ],
        rows: summaries.map((each) => [
          each.variant.name,
          each.variant.samplingRate ?? '–',
          each.cpuMs.median.toFixed(3),
          `${each.cpuMs.min.toFixed(2)} – ${each.cpuMs.max.toFixed(2)}`,
          each.addedMs.median.toFixed(3),
          each.ratioToBare.toFixed(3),
          each.p50Ms.toFixed(1),
          each.p99Ms.toFixed(1),
          each.rssMb.toFixed(0),
          (each.startupMs / 1000).toFixed(2)
        ])
      }
    ],
    targets: checkTargets(summaries),
    notes: [
      howTaken,
      '"added" is over the bare service of the same round.',
      `The bare service against itself: ${control.median.toFixed(3)} ms ` +
        `(${control.min.toFixed(2)} to ${control.max.toFixed(2)}); smaller differences mean nothing.`,
      ...(noisy.length === 0
        ? []
        : [
            `Noisy: between the rounds ${noisy.map(({ variant }) => `"${variant.name}"`).join(', ')} ` +
              `differed by more than ${100 * NOISY_SPREAD} %.`
          ]),
      ...silent.map(({ name }) => `"${name}" sent no trace: do not trust its figures.`),
      'Only ours and dd-trace label samples with the span, and only ours names the line.'
    ],
    measurements,
    chart: drawAdded(summaries)
  }
}

function summarize(variant: Variant, measurements: Measurement[], startupsMs: readonly number[]): Summary {
  const own = measurements.filter((each) => each.variant === variant.name)
  const bareOf = new Map(
    measurements.filter((each) => each.variant === BARE).map((each) => [each.round, each.cpuMsPerRequest])
  )
  const medianOf = (read: (each: Measurement) => number) => quantile(own.map(read), 0.5)
  const bare = ({ round }: Measurement) => bareOf.get(round) ?? Number.NaN
  return {
    variant,
    cpuMs: spreadOf(own.map(({ cpuMsPerRequest }) => cpuMsPerRequest)),
    addedMs: spreadOf(own.map((each) => each.cpuMsPerRequest - bare(each))),
    ratioToBare: medianOf((each) => each.cpuMsPerRequest / bare(each)),
    p50Ms: medianOf(({ p50Ms }) => p50Ms),
    p99Ms: medianOf(({ p99Ms }) => p99Ms),
    rssMb: medianOf(({ rssMb }) => rssMb),
    startupMs: quantile(startupsMs, 0.5)
  }
}

function find(summaries: Summary[], name: string): Summary {
  const found = summaries.find(({ variant }) => variant.name === name)
  if (found === undefined) throw new Error(`There is no variant "${name}".`)
  return found
}

function checkTargets(summaries: Summary[]): Target[] {
  const added = (name: string) => find(summaries, name).addedMs.median
  const atMost = (promise: string, name: string, maxMs: number): Target => ({
    promise: `${promise} at most ${maxMs} ms a request`,
    measured: `${added(name).toFixed(3)} ms`,
    isMet: added(name) <= maxMs
  })
  return [
    atMost('spans add at 10 %', 'ours, spans, 10 %', MAX_SPANS_MS),
    atMost(
      'spans and the labelled profiler add at 10 %',
      'ours, spans + profiler, 10 %',
      MAX_SPANS_AND_PROFILER_MS
    ),
    isCheapest(summaries, 'ours, spans, 10 %', (peer) => !peer.hasProfiler),
    ...['ours, spans + profiler, 10 %', 'ours, spans + profiler, 100 %'].flatMap((name) => [
      isCheapest(summaries, name, (peer) => peer.hasProfiler),
      isCheapest(summaries, name, () => true)
    ])
  ]
}

/** Set against the peers at the same sampling rate that are `comparable`. */
function isCheapest(summaries: Summary[], name: string, comparable: (peer: Variant) => boolean): Target {
  const ours = find(summaries, name)
  const peers = summaries.filter(
    ({ variant }) =>
      !variant.isOurs && variant.samplingRate === ours.variant.samplingRate && comparable(variant)
  )
  const cheapest = peers.toSorted((a, b) => a.addedMs.median - b.addedMs.median)[0] as Summary
  return {
    promise: `"${name}" costs less than ${peers.map(({ variant }) => `"${variant.name}"`).join(', ')}`,
    measured: `${ours.addedMs.median.toFixed(3)} ms; the cheapest of them ${cheapest.addedMs.median.toFixed(3)} ms`,
    isMet: ours.addedMs.median < cheapest.addedMs.median
  }
}

function drawAdded(summaries: Summary[]): Chart {
  return {
    title: 'CPU added to a request',
    unit: 'ms',
    bars: summaries
      .filter(({ variant }) => variant.name !== BARE)
      .map(({ variant, addedMs }) => ({
        label: variant.name,
        value: addedMs.median,
        low: addedMs.min,
        high: addedMs.max,
        isOurs: variant.isOurs
      }))
  }
}
