/** Where the leak is put in, and the proof that it is one. Changes the container: for a process to be thrown away. */
import path from 'node:path'
import { createSourceTree } from '../source-tree.ts'
import type { Suspect } from './expiry.ts'
import { judgeByLimit } from './growth-limit.ts'
import { fetchObject, type HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import type { Holding } from './holdings.ts'
import { clear, createInsertionWatch, sizeOf } from './insertion-watch.ts'
import type { Excuse } from './leak-findings.ts'
import type { LeakReport } from './leak-report.ts'
import { type Line, placeLineProbes, watchVariable } from './line-probes.ts'
import { toMb } from './megabytes.ts'
import { readBudgetClockMs, type WorkloadRun } from './workload-run.ts'

/** One that leaks only now and then is met all the same. */
const MAX_ITERATIONS = 200
const ENOUGH_INSERTIONS = 8
const BUDGET_MS = 1500

/** Their frames stand above those of whoever inserts. */
const WATCHING_FILES = ['insertion-watch.ts', 'line-probes.ts'].map((name) =>
  path.join(import.meta.dirname, name)
)

export interface LeakLocator {
  /** What holds it, for those who look whether it stays. */
  readonly suspect: Pick<Suspect, 'isTimer' | 'readSize'>
  /** @returns undefined where nothing limits the growth */
  judgeByLimit(): Promise<Excuse | undefined>
  /** @returns the `file:line` that makes the holding grow, or undefined where it could not be told */
  findInsertion(): Promise<string | undefined>
  /** Empties the container and collects: what comes back is what it held. @returns null for what can't be emptied */
  proveByClearing(predictedBytes: number, readUsedBytes: () => number): Promise<LeakReport['proof']>
}

export function createLeakLocator(
  heap: HeapInspector,
  rootDir: string,
  holding: Holding,
  heldBy: HeldBy | null,
  run: WorkloadRun
): LeakLocator {
  const sources = createSourceTree(
    rootDir,
    WATCHING_FILES.map((file) => path.relative(rootDir, file).split(path.sep).join('/'))
  )
  const container = holding.isVariable ? undefined : fetchObject(heap, holding.ownerId)

  /** A variable whose value is replaced each time is read where the workload mentions it. */
  async function readSize(): Promise<number> {
    const [identifier] = heldBy?.identifiers ?? []
    if (!holding.isVariable || identifier === undefined) return sizeOf(container)
    const readVariable = watchVariable(heap, sources, identifier)
    await run.run(1, { budgetMs: BUDGET_MS })
    return sizeOf(readVariable())
  }

  async function findInsertion(): Promise<string | undefined> {
    const watch = createInsertionWatch(sources)
    if (heldBy?.isTimer) watch.watchTimers()
    else watch.watch(container)
    const endMs = readBudgetClockMs() + BUDGET_MS
    for (let i = 0; i < MAX_ITERATIONS && watch.insertions < ENOUGH_INSERTIONS; i++) {
      await run.run(1, { budgetMs: endMs - readBudgetClockMs() })
      if (readBudgetClockMs() > endMs) break
    }
    const found = watch.mostFrequent() ?? (heldBy ? await probeLines(heldBy) : undefined)
    return found && `${sources.relativePath(found.file)}:${found.line}`
  }

  async function probeLines({ identifiers }: HeldBy): Promise<Line | undefined> {
    const readContainer = container === undefined ? undefined : () => container
    for (const identifier of identifiers) {
      const probes = placeLineProbes(heap, sources, identifier, readContainer)
      const endMs = readBudgetClockMs() + BUDGET_MS
      for (let i = 0; i < MAX_ITERATIONS && readBudgetClockMs() < endMs; i++) {
        await run.run(1, { budgetMs: endMs - readBudgetClockMs() })
        probes.settle()
      }
      const found = probes.mostFrequent()
      if (found) return found
    }
    return undefined
  }

  async function proveByClearing(predictedBytes: number, readUsedBytes: () => number) {
    if (container === undefined || heldBy === null) return null
    await settle(heap)
    const before = readUsedBytes()
    if (!clear(container)) return null
    await settle(heap)
    const freedBytes = before - readUsedBytes()
    return {
      cleared: heldBy.name,
      freed_mb: toMb(freedBytes),
      predicted_mb: toMb(predictedBytes),
      ratio: Math.round((freedBytes / predictedBytes) * 100) / 100
    }
  }

  return {
    suspect: { isTimer: heldBy?.isTimer === true, readSize },
    judgeByLimit: async () =>
      heldBy?.isTimer === false ? judgeByLimit(heap, sources, heldBy, container, run) : undefined,
    findInsertion,
    proveByClearing
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
