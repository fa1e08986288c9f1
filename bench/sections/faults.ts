/** What each planted fault costs, against its mended variant beside it, and how that grows. */

import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/database.ts'
import { serializePromptByCount, serializePromptByTrial } from '../../src/pipeline/prompt.ts'
import { filterOverlappingChunks, filterOverlappingChunksPairwise } from '../../src/pipeline/rerank.ts'
import { retrieve } from '../../src/pipeline/retrieve.ts'
import { fastestMs } from '../../test/pipeline/fastest.ts'
import { createRandom, makeOverlappingChunks } from '../../test/pipeline/sample-chunks.ts'
import type { BenchOptions, OnStep, Section, SectionResult } from '../section.ts'
import { describeSpread, fitExponent, quantile, type Spread, spreadOf } from '../statistics.ts'

const FILTER_SIZES = [150, 300, 600, 1200]
/** The mended filter is too fast to be timed at the sizes of the naive one. */
const FAST_FILTER_SIZES = FILTER_SIZES.map((size) => 2 * size)
const PROMPT_CHUNKS = 150
const RUNS = 5
/** Of what takes a second. */
const SLOW_RUNS = 2
/** Finds fifty documents, the most that a question may. */
const BROAD_QUERY = 'What uptime does the SLA promise, and when are service credits due?'
const MIN_PROMPT_RATIO = 16
const MIN_STATEMENTS_RATIO = 10

interface Round {
  naiveExponent: number
  fixedExponent: number
  filterRatio: number
  promptRatio: number
  statementsMs: { naive: number; indexed: number; joined: number }
}

export const faultsSection: Section = {
  name: 'faults',
  describes: 'each fault against its mended variant, and how its time grows',
  run: measureFaults
}

async function measureFaults({ rounds }: BenchOptions, onStep: OnStep): Promise<SectionResult> {
  const database = await openDatabase({})
  try {
    const measured: Round[] = []
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1}`, round, rounds)
      measured.push(await measureRound(database, round))
    }
    return conclude(measured)
  } finally {
    await database.close()
  }
}

async function measureRound(database: Database, round: number): Promise<Round> {
  const random = createRandom(round + 1)
  const candidates = makeOverlappingChunks(PROMPT_CHUNKS, random)
  const naive = FILTER_SIZES.map((size) => timeFilter(filterOverlappingChunksPairwise, size, random))
  const fixed = FAST_FILTER_SIZES.map((size) => timeFilter(filterOverlappingChunks, size, random))
  const largest = FILTER_SIZES.at(-1) as number
  const trialMs = fastestMs(SLOW_RUNS, () => serializePromptByTrial('What is kept?', candidates))
  const countMs = fastestMs(RUNS, () => serializePromptByCount('What is kept?', candidates))
  return {
    naiveExponent: fitExponent(naive),
    fixedExponent: fitExponent(fixed),
    filterRatio: (naive.at(-1)?.ms ?? 0) / timeFilter(filterOverlappingChunks, largest, random).ms,
    promptRatio: trialMs / countMs,
    statementsMs: {
      naive: await timeRetrieval(database, { 'n-plus-one-queries': true, 'missing-index': true }),
      indexed: await timeRetrieval(database, { 'n-plus-one-queries': true, 'missing-index': false }),
      joined: await timeRetrieval(database, { 'n-plus-one-queries': false, 'missing-index': false })
    }
  }
}

function timeFilter(
  filter: typeof filterOverlappingChunks,
  size: number,
  random: () => number
): { size: number; ms: number } {
  const chunks = makeOverlappingChunks(size, random)
  return { size, ms: fastestMs(RUNS, () => filter(chunks)) }
}

async function timeRetrieval(database: Database, faults: Parameters<typeof retrieve>[2]): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now()
    await retrieve(database, BROAD_QUERY, faults)
    times.push(performance.now() - startedAt)
  }
  return Math.min(...times)
}

function conclude(rounds: Round[]): SectionResult {
  const spread = (read: (round: Round) => number): Spread => spreadOf(rounds.map(read))
  const naiveExponent = spread((each) => each.naiveExponent)
  const fixedExponent = spread((each) => each.fixedExponent)
  const promptRatio = spread((each) => each.promptRatio)
  const statementsRatio = spread(({ statementsMs }) => statementsMs.naive / statementsMs.joined)
  const byIndex = spread(({ statementsMs }) => statementsMs.naive / statementsMs.indexed)
  const byJoin = spread(({ statementsMs }) => statementsMs.indexed / statementsMs.joined)
  const ratio = (each: Spread) => describeSpread(each, 1)
  return {
    title: 'Each planted fault against its mended variant',
    tables: [
      {
        columns: ['fault', 'times as fast, mended', 'exponent naive', 'exponent mended'],
        rows: [
          [
            'quadratic-chunk-filter, 1,200 chunks',
            ratio(spread((each) => each.filterRatio)),
            describeSpread(naiveExponent),
            describeSpread(fixedExponent)
          ],
          ['slow-prompt-serialization', ratio(promptRatio), '', ''],
          ['missing-index, in 1 + 50 SELECTs', ratio(byIndex), '', ''],
          ['n-plus-one-queries, with the index', ratio(byJoin), '', ''],
          ['both of them, to one indexed JOIN', ratio(statementsRatio), '', '']
        ]
      }
    ],
    targets: [
      {
        promise: "the quadratic filter's exponent is 2.0 ± 0.1",
        measured: describeSpread(naiveExponent),
        isMet: Math.abs(naiveExponent.median - 2) <= 0.1
      },
      {
        promise: 'and mended at most 1.2',
        measured: describeSpread(fixedExponent),
        isMet: fixedExponent.median <= 1.2
      },
      {
        promise: `prompt serialization is at least ${MIN_PROMPT_RATIO} times as fast`,
        measured: ratio(promptRatio),
        isMet: promptRatio.median >= MIN_PROMPT_RATIO
      },
      {
        promise: `N+1 with the missing index is at least ${MIN_STATEMENTS_RATIO} times as slow as one JOIN`,
        measured: ratio(statementsRatio),
        isMet: statementsRatio.median >= MIN_STATEMENTS_RATIO
      }
    ],
    notes: [
      `Of each variant the fastest of ${RUNS} runs (naive serialization: ${SLOW_RUNS}), in this process; medians (min to max) of ${rounds.length} rounds.`,
      `One round of retrieval takes ${quantile(
        rounds.map(({ statementsMs }) => statementsMs.naive),
        0.5
      ).toFixed(0)} ms naive; the embedded database.`
    ],
    measurements: rounds
  }
}
