/**
 * Tells a cache that is not full yet from a leak: it has a limit, which no run of a few seconds may reach. Either one's
 * own code compares its size with something whenever it grows, or the object it belongs to declares a maximum.
 */
import type { SourceTree } from '../source-tree.ts'
import type { HeapInspector } from './heap-inspector.ts'
import type { HeldBy } from './held-by.ts'
import { mentionOf, probeMatchingLines } from './line-probes.ts'
import type { WorkloadRun } from './workload-run.ts'

const ITERATIONS = 20
const BUDGET_MS = 300
const LIMIT = '__leakCheckLimit'
/** As libraries of caches, queues and pools call it. */
const LIMIT_NAMES = ['max', 'maxSize', 'maxEntries', 'maxLength', 'maxItems', 'limit', 'capacity']
/** `.size > MAX`, but not `.length > 0`. */
const COMPARED = '\\.(?:size|length|byteLength)\\s*(?:>=?|===?)\\s*(?!0\\b)'

/** @returns what limits the growth, in words, or undefined */
export async function findUnreachedLimit(
  heap: HeapInspector,
  sources: SourceTree,
  heldBy: HeldBy,
  run: WorkloadRun
): Promise<string | undefined> {
  const declared = findDeclaredLimit(heap, heldBy)
  if (declared !== undefined) {
    return `${heldBy.name} still grows after ${run.done} iterations, but declares a limit (${declared})`
  }
  const reached = new Set<number>()
  const lines = probeMatchingLines(heap, sources, mentionOf(heldBy.identifiers[0] ?? '', COMPARED), (place) =>
    reached.add(place)
  )
  if (lines.length === 0) return undefined
  await run.run(ITERATIONS, { budgetMs: BUDGET_MS })
  const compared = lines.find((_, place) => reached.has(place))
  return (
    compared &&
    `${heldBy.name} still grows after ${run.done} iterations, but ` +
      `${sources.relativePath(compared.file)}:${compared.line} compares its size with a limit`
  )
}

/** @returns `name = value` of the first one that an object on the way declares */
function findDeclaredLimit(heap: HeapInspector, { holderIds }: HeldBy): string | undefined {
  for (const id of holderIds) {
    heap.callOn(
      id,
      `function () {
        const name = ${JSON.stringify(LIMIT_NAMES)}.find((name) => Number.isFinite(this[name]) && this[name] > 0)
        if (name !== undefined) globalThis.${LIMIT} = name + ' = ' + this[name]
      }`
    )
  }
  const declared = Reflect.get(globalThis, LIMIT) as string | undefined
  Reflect.deleteProperty(globalThis, LIMIT)
  return declared
}
