/** The leak check of the service's own pipeline, one at a time. */
import { resolve } from 'node:path'
import { SpanKind } from '@opentelemetry/api'
import exampleData from '../../example_data.json' with { type: 'json' }
import type { Database } from '../database/database.ts'
import { checkForLeaks } from '../evidence/memory/leak-check.ts'
import type { LeakReport } from '../evidence/memory/leak-report.ts'
import type { FaultRegistry, FaultSwitches } from '../faults.ts'
import { traced } from '../telemetry/traced.ts'
import type { QueryWorkloadInput } from './query-workload.ts'
import { recordRetrieval } from './retrieval-snapshot.ts'

export interface LeakChecker {
  readonly isRunning: boolean
  /** The last check that came to a verdict, and when; undefined before the first. */
  readonly last: { report: LeakReport; atMs: number } | undefined
  /** @throws LeakCheckRunningError */
  run(iterations: number): Promise<LeakReport>
  /** Calls a running check off. */
  close(): void
}

/** Longer than most checks take. */
const RETRY_AFTER_S = 10

export class LeakCheckRunningError extends Error {
  readonly statusCode = 409
  readonly code = 'LEAK_CHECK_RUNNING'
  readonly retryAfterS = RETRY_AFTER_S
  constructor() {
    super(`A leak check is running already: ask again in ${RETRY_AFTER_S} s.`)
  }
}

const ROOT = resolve(import.meta.dirname, '../..')
const WORKLOAD_URL = new URL('./query-workload.ts', import.meta.url).href
const QUERY = exampleData.sample_queries[0] ?? ''
const JUDGED =
  'answerQuery with queries that are all different, on recorded rows of the database, without latency; ' +
  'the database client, the model client, the tokenizer, HTTP and telemetry are not run'

export function createLeakChecker(deps: { database: Database; faults: FaultRegistry }): LeakChecker {
  const closing = new AbortController()
  let isRunning = false
  let last: LeakChecker['last']

  async function run(iterations: number): Promise<LeakReport> {
    if (isRunning) throw new LeakCheckRunningError()
    isRunning = true
    try {
      // CLIENT: it waits for another process, which explains the wait to a diagnosis.
      const report = await traced('memory.leak_check', {}, () => check(iterations), SpanKind.CLIENT)
      if (report.verdict !== 'inconclusive') last = { report, atMs: Date.now() }
      return report
    } finally {
      isRunning = false
    }
  }

  async function recordInput(): Promise<QueryWorkloadInput> {
    const faults = fixAllButCache(deps.faults.snapshot())
    return { query: QUERY, snapshot: await recordRetrieval(deps.database, QUERY, faults), faults }
  }

  function check(iterations: number): Promise<LeakReport> {
    return checkForLeaks({
      iterations,
      workloadUrl: WORKLOAD_URL,
      getInput: recordInput,
      rootDir: ROOT,
      judged: JUDGED,
      signal: closing.signal
    })
  }

  return {
    get isRunning() {
      return isRunning
    },
    get last() {
      return last
    },
    run,
    close: () => closing.abort()
  }
}

/** The others cost time and keep nothing. */
function fixAllButCache(live: FaultSwitches): FaultSwitches {
  const fixed = Object.fromEntries(Object.keys(live).map((name) => [name, false])) as unknown as FaultSwitches
  return { ...fixed, 'unbounded-document-cache': live['unbounded-document-cache'] }
}
