/**
 * Tells a cache that is not full yet from a leak: it has a limit, which a run of a few seconds may not reach. Either
 * one's own code compares its size with something whenever it grows, or the object it belongs to declares a maximum.
 * A limit that is near enough is tried: whoever grows beyond it has none.
 */
import type { SourceTree } from '../source-tree.ts'
import type { HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import { sizeOf } from './insertion-watch.ts'
import { mentionOf, probeMatchingLines, readSafely } from './line-probes.ts'
import { BYTES_PER_MB } from './megabytes.ts'
import { readBudgetClockMs, type WorkloadRun } from './workload-run.ts'

const ITERATIONS = 20
const BUDGET_MS = 300
/** So long a limit may take to be reached, and so much memory, most of it garbage. */
const MAX_REACH_ITERATIONS = 50_000
const REACH_BUDGET_MS = 5_000
const REACH_GROWTH_BYTES = 160 * BYTES_PER_MB
/** Who makes room in batches may be beyond its limit by a little … */
const MAX_OVERSHOOT = 1.1
/** … and who has no limit is as far beyond it when the run ends. */
const REACH_FACTOR = 1.3
const DECLARED = '__leakCheckLimit'
/** As libraries of caches, queues and pools call it. */
const LIMIT_NAMES = ['max', 'maxSize', 'maxEntries', 'maxLength', 'maxItems', 'limit', 'capacity']
/** `.size > MAX`, but not `.length > 0`. */
const COMPARED = '\\.(?:size|length|byteLength)\\s*(?:>=?|===?)\\s*(?!0\\b)'
const PATH = '[\\w$#]+(?:\\.[\\w$#]+)*'
const SUM = `${PATH}(?:\\s*[-+*/]\\s*${PATH})*`
/** What is compared, and with what, unless it takes a call to tell. */
const COMPARISON = new RegExp(`(${PATH})${COMPARED}(?:(${SUM})\\s*(?:[)&|;?:]|$))?`)

interface Limit {
  /** Entries; undefined where it takes a call to tell. */
  size: number | undefined
  /** What shows it, in words. */
  shownBy: string
}

/** What a limit says about growth: it is kept, or was not reached. */
export interface LimitVerdict {
  verdict: 'bounded' | 'inconclusive'
  reason: string
}

/**
 * @param container what grows, where that can be told: then others of the same name don't count
 * @returns undefined where nothing limits the growth
 */
export async function judgeByLimit(
  heap: HeapInspector,
  sources: SourceTree,
  heldBy: HeldBy,
  container: unknown,
  run: WorkloadRun
): Promise<LimitVerdict | undefined> {
  const limit =
    findDeclaredLimit(heap, heldBy, sizeOf(container)) ??
    (await findComparedLimit(heap, sources, heldBy, container, run))
  if (limit === undefined) return undefined
  const outcome = limit.size === undefined ? 'not reached' : await tryToReach(limit.size, container, run)
  if (outcome === 'passed') return undefined
  return outcome === 'kept'
    ? {
        verdict: 'bounded',
        reason: `${heldBy.name} keeps its limit over ${run.done} iterations: ${limit.shownBy}`
      }
    : {
        verdict: 'inconclusive',
        reason: `${heldBy.name} still grows after ${run.done} iterations, but ${limit.shownBy}`
      }
}

/** Runs on until what has no limit would be clearly beyond this one, where that does not take too long. */
async function tryToReach(
  limit: number,
  container: unknown,
  run: WorkloadRun
): Promise<'kept' | 'passed' | 'not reached'> {
  const startMs = readBudgetClockMs()
  const ran = await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  const iterationMs = (readBudgetClockMs() - startMs) / ran
  const size = sizeOf(container)
  const needed = Math.ceil(((REACH_FACTOR * limit - size) / size) * run.done)
  // Infinite for what has no size.
  if (needed > MAX_REACH_ITERATIONS || needed * iterationMs > REACH_BUDGET_MS) return 'not reached'
  const limits = { budgetMs: REACH_BUDGET_MS, growthBytes: REACH_GROWTH_BYTES }
  const isWhole = needed <= 0 || (await run.run(needed, limits)) === needed
  if (sizeOf(container) > MAX_OVERSHOOT * limit) return 'passed'
  return isWhole ? 'kept' : 'not reached'
}

/** @returns what a line of one's own compares the container's size with, unless that is passed already */
async function findComparedLimit(
  heap: HeapInspector,
  sources: SourceTree,
  { identifiers: [identifier] }: HeldBy,
  container: unknown,
  run: WorkloadRun
): Promise<Limit | undefined> {
  if (identifier === undefined) return undefined
  const limitAt = new Map<number, number | undefined>()
  function noteLine(place: number, comparison: [compared: unknown, limit: unknown] | undefined): void {
    const [compared, limit] = comparison ?? []
    if (container !== undefined && compared !== container) return
    if (typeof limit !== 'number') limitAt.set(place, undefined)
    // Else it went on growing beyond it.
    else if (sizeOf(compared) <= limit) limitAt.set(place, limit)
  }
  const lines = probeMatchingLines(heap, sources, mentionOf(identifier.name, COMPARED), noteLine, {
    toExpression(text) {
      const [, compared, limit] = COMPARISON.exec(text) ?? []
      return readSafely(`[${compared}, ${limit}]`)
    },
    scriptUrl: identifier.scriptUrl
  })
  if (lines.length === 0) return undefined
  await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  const place = lines.findIndex((_, place) => limitAt.has(place))
  const line = lines[place]
  return (
    line && {
      size: limitAt.get(place),
      shownBy: `${sources.relativePath(line.file)}:${line.line} compares its size with a limit`
    }
  )
}

/** @returns the first one beyond `size` that an object on the way declares */
function findDeclaredLimit(heap: HeapInspector, { holderIds }: HeldBy, size: number): Limit | undefined {
  for (const id of holderIds) {
    heap.callOn(
      id,
      `function () {
        const name = ${JSON.stringify(LIMIT_NAMES)}.find((name) => Number.isFinite(this[name]) && this[name] > ${size})
        if (name !== undefined) globalThis.${DECLARED} = [name, this[name]]
      }`
    )
  }
  const declared = Reflect.get(globalThis, DECLARED) as [name: string, limit: number] | undefined
  Reflect.deleteProperty(globalThis, DECLARED)
  return declared && { size: declared[1], shownBy: `it declares a limit (${declared.join(' = ')})` }
}
