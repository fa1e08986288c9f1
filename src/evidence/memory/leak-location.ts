/** Where the leak is put in, and the proof that it is one. Changes the container: for a process to be thrown away. */
import type { SourceTree } from '../source-tree.ts'
import type { HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import type { Holding } from './holdings.ts'
import { clear, createInsertionWatch } from './insertion-watch.ts'
import type { LeakReport } from './leak-report.ts'
import { placeLineProbes } from './line-probes.ts'
import { toMb } from './megabytes.ts'
import { readBudgetClockMs, type WorkloadRun } from './workload-run.ts'

/** One that leaks only now and then is met all the same. */
const MAX_ITERATIONS = 200
const ENOUGH_INSERTIONS = 8
const BUDGET_MS = 1500

const HANDLE = '__leakCheckContainer'

/** @returns the line that makes the holding grow, or undefined where it could not be told */
export async function findInsertion(
  heap: HeapInspector,
  sources: SourceTree,
  holding: Holding,
  heldBy: HeldBy | null,
  run: WorkloadRun
): Promise<{ file: string; line: number } | undefined> {
  const watch = createInsertionWatch(sources)
  const container = holding.isVariable ? undefined : fetchObject(heap, holding.ownerId)
  if (heldBy?.isTimer) watch.watchTimers()
  else watch.watch(container)
  const endMs = readBudgetClockMs() + BUDGET_MS
  for (let i = 0; i < MAX_ITERATIONS && watch.insertions < ENOUGH_INSERTIONS; i++) {
    if ((await run.run(1, endMs - readBudgetClockMs())) === 0 || readBudgetClockMs() > endMs) break
  }
  return (
    watch.mostFrequent() ?? (heldBy ? await probeLines(heap, sources, container, heldBy, run) : undefined)
  )
}

async function probeLines(
  heap: HeapInspector,
  sources: SourceTree,
  container: unknown,
  heldBy: HeldBy,
  run: WorkloadRun
): Promise<{ file: string; line: number } | undefined> {
  const readContainer = container === undefined ? undefined : () => container
  const probes = placeLineProbes(heap, sources, heldBy.identifier, readContainer)
  const endMs = readBudgetClockMs() + BUDGET_MS
  for (let i = 0; i < MAX_ITERATIONS && readBudgetClockMs() < endMs; i++) {
    await run.run(1, endMs - readBudgetClockMs())
    probes.settle()
  }
  return probes.mostFrequent()
}

/**
 * Empties the container and collects. What comes back is what it held.
 * @returns null for what can't be emptied
 */
export async function proveByClearing(
  heap: HeapInspector,
  { ownerId, isVariable }: Holding,
  heldBy: HeldBy | null,
  predictedBytes: number,
  usedBytes: () => number
): Promise<LeakReport['proof']> {
  if (isVariable || heldBy === null) return null
  await settle(heap)
  const before = usedBytes()
  if (!clear(fetchObject(heap, ownerId))) return null
  await settle(heap)
  const freedBytes = before - usedBytes()
  return {
    cleared: heldBy.name,
    freed_mb: toMb(freedBytes),
    predicted_mb: toMb(predictedBytes),
    ratio: Math.round((freedBytes / predictedBytes) * 100) / 100
  }
}

/**
 * Collects twice: a thread of V8's own frees the memory of dead Buffers after a collection, and only the next one
 * waits for it. On a busy machine 19 MB of them were still counted.
 */
async function settle(heap: HeapInspector): Promise<void> {
  await heap.collectEverything()
  await heap.collectEverything()
}

/** @returns the object itself, by V8's number of it; undefined for one that is V8's own */
function fetchObject(heap: HeapInspector, objectId: number): unknown {
  heap.callOn(objectId, `function () { globalThis.${HANDLE} = this }`)
  const value = Reflect.get(globalThis, HANDLE)
  Reflect.deleteProperty(globalThis, HANDLE)
  return value
}
