/**
 * Tells a cache that is not full yet from a leak: it has a limit, which no run of a few seconds may reach. Either one's
 * own code compares its size with something whenever it grows, or the object it belongs to declares a maximum.
 */
import type { SourceTree } from '../source-tree.ts'
import type { HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import { sizeOf } from './insertion-watch.ts'
import { mentionOf, probeMatchingLines, readSafely } from './line-probes.ts'
import type { WorkloadRun } from './workload-run.ts'

const ITERATIONS = 20
const BUDGET_MS = 300
const LIMIT = '__leakCheckLimit'
/** As libraries of caches, queues and pools call it. */
const LIMIT_NAMES = ['max', 'maxSize', 'maxEntries', 'maxLength', 'maxItems', 'limit', 'capacity']
/** `.size > MAX`, but not `.length > 0`. */
const COMPARED = '\\.(?:size|length|byteLength)\\s*(?:>=?|===?)\\s*(?!0\\b)'
const PATH = '[\\w$#]+(?:\\.[\\w$#]+)*'
const SUM = `${PATH}(?:\\s*[-+*/]\\s*${PATH})*`
/** What is compared, and with what, unless it takes a call to tell. */
const COMPARISON = new RegExp(`(${PATH})${COMPARED}(?:(${SUM})\\s*(?:[)&|;?:]|$))?`)

/**
 * @param container what grows, where that can be told: then others of the same name don't count
 * @returns what limits the growth, in words, or undefined
 */
export async function findUnreachedLimit(
  heap: HeapInspector,
  sources: SourceTree,
  heldBy: HeldBy,
  container: unknown,
  run: WorkloadRun
): Promise<string | undefined> {
  const declared = findDeclaredLimit(heap, heldBy, sizeOf(container))
  if (declared !== undefined) {
    return `${heldBy.name} still grows after ${run.done} iterations, but declares a limit (${declared})`
  }
  const reached = new Set<number>()
  const [identifier] = heldBy.identifiers
  if (identifier === undefined) return undefined
  const { name, scriptUrl } = identifier
  function noteLine(place: number, comparison: [compared: unknown, limit: unknown] | undefined): void {
    const [compared, limit] = comparison ?? []
    if (container !== undefined && compared !== container) return
    // It went on growing beyond it.
    if (typeof limit === 'number' && sizeOf(compared) > limit) return
    reached.add(place)
  }
  const lines = probeMatchingLines(heap, sources, mentionOf(name, COMPARED), noteLine, {
    toExpression(text) {
      const [, compared, limit] = COMPARISON.exec(text) ?? []
      return readSafely(`[${compared}, ${limit}]`)
    },
    scriptUrl
  })
  if (lines.length === 0) return undefined
  await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  const compared = lines.find((_, place) => reached.has(place))
  return (
    compared &&
    `${heldBy.name} still grows after ${run.done} iterations, but ` +
      `${sources.relativePath(compared.file)}:${compared.line} compares its size with a limit`
  )
}

/** @returns `name = value` of the first one beyond `size` that an object on the way declares */
function findDeclaredLimit(heap: HeapInspector, { holderIds }: HeldBy, size: number): string | undefined {
  for (const id of holderIds) {
    heap.callOn(
      id,
      `function () {
        const name = ${JSON.stringify(LIMIT_NAMES)}.find((name) => Number.isFinite(this[name]) && this[name] > ${size})
        if (name !== undefined) globalThis.${LIMIT} = name + ' = ' + this[name]
      }`
    )
  }
  const declared = Reflect.get(globalThis, LIMIT) as string | undefined
  Reflect.deleteProperty(globalThis, LIMIT)
  return declared
}
