/**
 * Tells what is kept for a time only, as sessions are, from a leak: the clock is set forward by an hour, what timers are
 * due by then are run, and the workload goes on for a little, for what throws out the old when something new comes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { setClockForward } from './forward-clock.ts'
import { fetchInstances, type HeapInspector } from './heap-inspector.ts'
import type { Excuse } from './leak-findings.ts'
import { BYTES_PER_MB } from './megabytes.ts'
import type { WorkloadRun } from './workload-run.ts'

const FORWARD_MS = 3_600_000
const ITERATIONS = 20
const BUDGET_MS = 300
/** Of what is kept for a time only at least this share is gone by then. */
const MIN_GONE_SHARE = 0.5
/** Where only bytes can be counted: with less, what else the process does would decide. */
const MIN_BYTES = BYTES_PER_MB / 2

/** What Node's timers are, as far as they are looked at. */
interface Timer {
  _idleTimeout: number
  _onTimeout: ((...values: unknown[]) => void) | null
  _repeat: number | null
  _timerArgs?: unknown[]
}

/** What is kept, in whichever unit it can be counted. */
interface Kept {
  unit: string
  count(): Promise<number>
  /** How many went if all of it did; undefined for all that are counted. */
  all?: number
}

/** What may be kept for a time only. */
export interface Suspect {
  /** Node's timers hold it. */
  isTimer: boolean
  /** Entries of what holds it, 0 where they can't be told; may run the workload once. */
  readSize(): Promise<number>
  /** About so many are kept. */
  bytes: number
}

/**
 * All at once, for what goes with one may go with the other: a timer and the entry that it takes out.
 * @returns for each undefined where most of it stayed
 */
export async function findExpiries(
  heap: HeapInspector,
  suspects: readonly Suspect[],
  readUsedBytes: () => Promise<number>,
  run: WorkloadRun
): Promise<(Excuse | undefined)[]> {
  const kept: (Kept | undefined)[] = []
  for (const suspect of suspects) kept.push(await chooseKept(heap, suspect, readUsedBytes))
  const before = await countEach(kept)
  const putClockBack = setClockForward(FORWARD_MS)
  try {
    await runDueTimers(heap)
    await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  } finally {
    putClockBack()
  }
  const after = await countEach(kept)
  return kept.map((each, i) => each && excuseByGone(each, before[i] ?? 0, after[i] ?? 0))
}

async function countEach(kept: readonly (Kept | undefined)[]): Promise<number[]> {
  const counts: number[] = []
  for (const each of kept) counts.push(await (each?.count() ?? 0))
  return counts
}

function excuseByGone({ unit, all }: Kept, before: number, after: number): Excuse | undefined {
  const whole = all ?? before
  const gone = before - after
  if (gone <= whole * MIN_GONE_SHARE) return undefined
  return {
    verdict: 'bounded',
    reason: `what is kept goes with time: of ${Math.round(whole)} ${unit} ${Math.round(gone)} are gone an hour later`
  }
}

async function chooseKept(
  heap: HeapInspector,
  { isTimer, readSize, bytes }: Suspect,
  readUsedBytes: () => Promise<number>
): Promise<Kept | undefined> {
  if (isTimer) return { unit: 'timers', count: async () => (await listPendingTimers(heap)).length }
  if ((await readSize()) > 0) return { unit: 'entries', count: readSize }
  return bytes >= MIN_BYTES ? { unit: 'bytes', count: readUsedBytes, all: bytes } : undefined
}

async function runDueTimers(heap: HeapInspector): Promise<void> {
  for (const timer of await listPendingTimers(heap)) {
    const { _onTimeout: onTimeout, _timerArgs: values = [] } = timer
    if (onTimeout === null || timer._idleTimeout > FORWARD_MS) continue
    if (timer._repeat === null) clearTimeout(timer as unknown as NodeJS.Timeout)
    try {
      onTimeout.apply(timer, values)
    } catch {
      // A workload's callback that fails says nothing about what it keeps.
    }
  }
  // What they have started and not awaited.
  await delay(0)
}

async function listPendingTimers(heap: HeapInspector): Promise<Timer[]> {
  await heap.collectEverything()
  const timer = setTimeout(() => {}, FORWARD_MS)
  clearTimeout(timer)
  const timers = fetchInstances(heap, Object.getPrototypeOf(timer)) as Timer[]
  return timers.filter(
    ({ _onTimeout, _idleTimeout }) => typeof _onTimeout === 'function' && _idleTimeout >= 0
  )
}
