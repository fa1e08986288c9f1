/**
 * Tells what is kept for a time only, as sessions are, from a leak: the clock is set forward by an hour, what timers are
 * due by then are run, and the workload goes on for a little, for what throws out the old when something new comes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { sum } from '../tally.ts'
import { countDeadBytes, type Look, totalBytes } from './cohorts.ts'
import { setClockForward } from './forward-clock.ts'
import { fetchInstances, type HeapInspector } from './heap-inspector.ts'
import type { Holding } from './holdings.ts'
import type { Excuse } from './leak-findings.ts'
import type { WorkloadRun } from './workload-run.ts'

const FORWARD_MS = 3_600_000
const ITERATIONS = 20
const BUDGET_MS = 300
/** Of what is kept for a time only at least this share is gone by then. */
const MIN_GONE_SHARE = 0.5
/** Numbers stand in the table itself, which nobody shares: with fewer objects than that there is nothing to be alive. */
const MIN_OBJECT_SHARE = 0.25

/** What Node's timers are, as far as they are looked at. */
interface Timer {
  _idleTimeout: number
  _onTimeout: ((...values: unknown[]) => void) | null
  _repeat: number | null
  _timerArgs?: unknown[]
}

/** What may be kept for a time only. */
export interface Suspect {
  /** Node's timers hold it. */
  isTimer: boolean
  /** Entries of what holds it, 0 where they can't be told; may run the workload once. */
  readSize(): Promise<number>
  /** As the last look saw it. */
  holding: Holding
}

/** In which what is kept is counted. */
type Unit = 'timers' | 'entries' | 'bytes'

/**
 * All at once, for what goes with one may go with the other: a timer and the entry that it takes out.
 * @param last the look that saw the suspects
 * @param lookOnceMore takes a second: only where something seems to have gone, or nothing but bytes can be counted
 * @returns for each undefined where most of it stayed
 */
export async function findExpiries(
  heap: HeapInspector,
  suspects: readonly Suspect[],
  last: Look<Holding>,
  lookOnceMore: () => Promise<Look<Holding>>,
  run: WorkloadRun
): Promise<(Excuse | undefined)[]> {
  let later: Promise<Look<Holding>> | undefined
  function lookLater(): Promise<Look<Holding>> {
    later ??= lookOnceMore()
    return later
  }

  const before: { suspect: Suspect; unit: Unit; kept: number }[] = []
  for (const suspect of suspects) {
    const unit = await chooseUnit(suspect)
    before.push({ suspect, unit, kept: await count(heap, unit, suspect, async () => last) })
  }
  await letAnHourPass(heap, run)
  const excuses: (Excuse | undefined)[] = []
  for (const { suspect, unit, kept } of before) {
    const gone = kept - (await count(heap, unit, suspect, lookLater))
    const isGone = gone > kept * MIN_GONE_SHARE && !isAliveElsewhere(suspect.holding, last, await lookLater())
    excuses.push(isGone ? excuse(unit, kept, gone) : undefined)
  }
  return excuses
}

/** Only bytes take a look: the others are counted now. */
async function count(
  heap: HeapInspector,
  unit: Unit,
  suspect: Suspect,
  look: () => Promise<Look<Holding>>
): Promise<number> {
  if (unit === 'timers') return (await listPendingTimers(heap)).length
  if (unit === 'entries') return suspect.readSize()
  const holding = (await look()).holdings.get(suspect.holding.key)
  return holding ? totalBytes(holding) : 0
}

/** An entry is taken out of a cache, and the next one, or another list, still leads to it. */
function isAliveElsewhere(holding: Holding, last: Look<Holding>, later: Look<Holding>): boolean {
  const bytes = sum(holding.bytes)
  if (bytes < totalBytes(holding) * MIN_OBJECT_SHARE) return false
  const { own, all } = countDeadBytes(holding.key, last, later)
  return Math.min(own, all) < bytes * MIN_GONE_SHARE
}

async function chooseUnit({ isTimer, readSize }: Suspect): Promise<Unit> {
  if (isTimer) return 'timers'
  return (await readSize()) > 0 ? 'entries' : 'bytes'
}

function excuse(unit: Unit, kept: number, gone: number): Excuse {
  return {
    verdict: 'bounded',
    reason: `what is kept goes with time: of ${kept} ${unit} ${gone} are gone an hour later`
  }
}

async function letAnHourPass(heap: HeapInspector, run: WorkloadRun): Promise<void> {
  const putClockBack = setClockForward(FORWARD_MS)
  try {
    await runDueTimers(heap)
    await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  } finally {
    putClockBack()
  }
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
