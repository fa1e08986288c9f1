/**
 * Tells a cache that is not full yet from a leak: it has a limit, which a run of a few seconds may not reach. Either
 * one's own code compares its size with something whenever it grows, or the object it belongs to declares a maximum.
 * A limit that is near enough is tried: whoever grows beyond it has none.
 */
import type { SourceTree } from '../source-tree.ts'
import { fetchObject, type HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import { sizeOf } from './insertion-watch.ts'
import type { Excuse } from './leak-findings.ts'
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
const COMPARED = '\\.(#?(?:size|length|byteLength|count))\\s*(?:>=?|===?)\\s*(?!0\\b)'
/** `[next++ % MAX]`, as in a ring. */
const WRAPPED = '\\[[^\\]]*%\\s*'
const PATH = '[\\w$#]+(?:\\.[\\w$#]+)*'
const SUM = `${PATH}(?:\\s*[-+*/]\\s*${PATH})*`
/** What is compared, and with what, unless it takes a call to tell. */
const COMPARISON = new RegExp(`(${PATH})${COMPARED}(?:(${SUM})\\s*(?:[)&|;?:]|$))?`)
const WRAPPING = new RegExp(`(${PATH})${WRAPPED}(${SUM})\\s*\\]`)

interface Limit {
  /** Undefined where it takes a call to tell. */
  limit: number | undefined
  /** What it is a limit of, as large as it is now; undefined where that can't be read later. */
  readSize: (() => number) | undefined
  /** What shows it, in words. */
  shownBy: string
}

/** What a line compares: `compared[property]`, which is `size` now, with `limit`. */
type Comparison = [compared: object | undefined, property: string, size: number, limit: unknown]

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
): Promise<Excuse | undefined> {
  const limit =
    findDeclaredLimit(heap, heldBy, container) ??
    (await findComparedLimit(heap, sources, heldBy, container, run))
  if (limit === undefined) return undefined
  const outcome = await tryToReach(limit, run)
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
  { limit, readSize }: Limit,
  run: WorkloadRun
): Promise<'kept' | 'passed' | 'not reached'> {
  if (limit === undefined || readSize === undefined) return 'not reached'
  const firstSize = readSize()
  const startMs = readBudgetClockMs()
  const ran = await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  const iterationMs = (readBudgetClockMs() - startMs) / ran
  const size = readSize()
  // What grows is something else, as in the lists of a map that is itself no larger than it may be.
  if (size === firstSize) return 'passed'
  const needed = Math.ceil(((REACH_FACTOR * limit - size) / size) * run.done)
  if (needed > MAX_REACH_ITERATIONS || needed * iterationMs > REACH_BUDGET_MS) return 'not reached'
  const limits = { budgetMs: REACH_BUDGET_MS, growthBytes: REACH_GROWTH_BYTES }
  const isWhole = needed <= 0 || (await run.run(needed, limits)) === needed
  if (readSize() > MAX_OVERSHOOT * limit) return 'passed'
  return isWhole ? 'kept' : 'not reached'
}

/** @returns what a line of one's own compares the container's size with, unless that is passed already */
async function findComparedLimit(
  heap: HeapInspector,
  sources: SourceTree,
  { identifiers, holderIds }: HeldBy,
  container: unknown,
  run: WorkloadRun
): Promise<Limit | undefined> {
  // A list of one's own making compares its own number of entries, and what grows hangs on it.
  const names =
    container === undefined ? identifiers : [...identifiers, { name: 'this', scriptUrl: undefined }]
  const limitAt = new Map<number, Omit<Limit, 'shownBy'>>()
  function noteLine(place: number, comparison: Comparison | undefined): void {
    if (comparison === undefined) return
    const [compared, property, size, limit] = comparison
    if (container !== undefined && !growing.has(compared)) return
    const canWait = compared !== undefined && container !== undefined && !property.startsWith('#')
    // What is replaced each time, or is private, can't be read later.
    const readSize = canWait ? () => Number(Reflect.get(compared, property)) : undefined
    if (typeof limit !== 'number') limitAt.set(place, { limit: undefined, readSize })
    // Else it went on growing beyond it.
    else if (size <= limit) limitAt.set(place, { limit, readSize })
  }
  const mentions = names.map((each) => mentionOf(each, `(?:${COMPARED}|${WRAPPED})`))
  const lines = probeMatchingLines(heap, sources, mentions, noteLine, readComparison)
  if (lines.length === 0) return undefined
  // Only now: each takes a walk over the heap.
  const growing = new Set([container, ...holderIds.map((id) => fetchObject(heap, id))])
  await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  // Each line that is watched costs a fraction of a millisecond.
  heap.post('Debugger.disable')
  for (const [place, line] of lines.entries()) {
    const limit = limitAt.get(place)
    // What Node compares with a limit it only warns of.
    if (!limit || !line) continue
    const { file } = line
    return { ...limit, shownBy: `${sources.relativePath(file)}:${line.line} compares its size with a limit` }
  }
  return undefined
}

/** @returns an expression for a Comparison */
function readComparison(text: string): string {
  const [, wrapped, length] = WRAPPING.exec(text) ?? []
  if (wrapped !== undefined) return readSafely(`[${wrapped}, 'length', ${wrapped}.length, ${length}]`)
  const [, compared, property, limit] = COMPARISON.exec(text) ?? []
  return readSafely(`[${compared}, '${property}', ${compared}.${property}, ${limit}]`)
}

/** @returns the first one that an object on the way declares, unless it is passed already */
function findDeclaredLimit(
  heap: HeapInspector,
  { holderIds }: HeldBy,
  container: unknown
): Limit | undefined {
  const readSize = () => countEntries(container)
  const least = Math.max(readSize(), 1)
  for (const id of holderIds) {
    heap.callOn(
      id,
      `function () {
        const name = ${JSON.stringify(LIMIT_NAMES)}.find((name) => Number.isFinite(this[name]) && this[name] >= ${least})
        if (name !== undefined) globalThis.${DECLARED} = [name, this[name]]
      }`
    )
  }
  const declared = Reflect.get(globalThis, DECLARED) as [name: string, limit: number] | undefined
  Reflect.deleteProperty(globalThis, DECLARED)
  return (
    declared && { limit: declared[1], readSize, shownBy: `it declares a limit (${declared.join(' = ')})` }
  )
}

/** An array that is made as long as it may become has entries only where something was put in. */
function countEntries(container: unknown): number {
  return Array.isArray(container)
    ? container.filter((entry) => entry !== undefined).length
    : sizeOf(container)
}
