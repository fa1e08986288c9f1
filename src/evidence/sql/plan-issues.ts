/** Reads a plan for what makes it slow. Pure: what a table has indexes on is not asked here. */
import { type Comparison, mentionsTable, readComparisons, readSortKey } from './conditions.ts'
import { type PlanNode, totalRows, walkPlan } from './plan.ts'
import type { PlanIssue } from './report.ts'

/** A table of fewer rows is read as a whole faster than through an index. */
const MIN_SCANNED_ROWS = 1_000
/** From a tenth on PostgreSQL itself often prefers to read the table as a whole. */
const MAX_SELECTED_SHARE = 0.1
const MISESTIMATE_FACTOR = 10
/** Below this a wrong estimate changes no plan for the worse. */
const MIN_MISESTIMATED_ROWS = 100
const MIN_LOOPS = 1_000
const MIN_CARTESIAN_ROWS = 10_000
const MIN_SKIPPED_ROWS = 1_000
const MIN_RETURNED_ROWS = 5_000

const SCAN = /^(?:Seq|Index|Index Only|Bitmap Heap) Scan$/

/** An index that might help, to be tried. */
export interface IndexCandidate {
  /** With its schema, quoted where needed. */
  table: string
  columns: string[]
  /** Lists of index keys; the first that helps is the advice. */
  alternatives: string[][]
}

export interface PlanReading {
  issues: PlanIssue[]
  candidates: IndexCandidate[]
  /** Rows that this execution read and threw away. */
  wastedRows: number
}

/** @returns what is wrong with the plan of one execution, what weighs most first */
export function readPlan(root: PlanNode): PlanReading {
  const nodes = walkPlan(root)
  const unindexed = nodes.flatMap(({ node, ancestors }) => findUnindexed(node, ancestors) ?? [])
  unindexed.sort((a, b) => b.wastedRows - a.wastedRows)
  return {
    issues: [
      ...unindexed.map(({ issue }) => issue),
      ...nodes.flatMap(({ node, ancestors }) => RULES.flatMap((rule) => rule(node, ancestors) ?? []))
    ],
    candidates: unindexed.flatMap(({ candidate }) => candidate ?? []),
    wastedRows:
      unindexed.reduce((sum, { wastedRows }) => sum + wastedRows, 0) +
      nodes.reduce((sum, { node }) => sum + countSkipped(node), 0)
  }
}

interface Unindexed {
  issue: PlanIssue
  candidate?: IndexCandidate
  wastedRows: number
}

function findUnindexed(node: PlanNode, ancestors: PlanNode[]): Unindexed | undefined {
  if (!SCAN.test(node.type) || !node.relation) return undefined
  const selective = findSelectiveFilter(node)
  if (selective || node.type !== 'Seq Scan') return selective
  return findJoinKey(node, ancestors) ?? findOrder(node, ancestors)
}

/** A filter that keeps little of what was read, be it from the table or along an index that serves something else. */
function findSelectiveFilter(node: PlanNode): Unindexed | undefined {
  const { filter, indexCondition, relation, removedByFilter, actualRows = 0, loops } = node
  const scans = node.isParallel ? 1 : loops
  const scanned = (actualRows + removedByFilter) * (loops / Math.max(scans, 1))
  const kept = totalRows(node)
  if (!filter || !relation || scanned < MIN_SCANNED_ROWS || kept > MAX_SELECTED_SHARE * scanned * scans)
    return undefined
  const reads = `reads ${count(scanned)} rows of ${relation.table} to keep ${count(kept / scans)}${times(scans)}`
  const condition = indexCondition === undefined ? filter : `(${indexCondition} AND ${filter})`
  return describeUnindexed(node, readComparisons(condition, relation.alias), reads, scanned * scans - kept)
}

/** A table read as a whole for a join that finds partners for few of its rows. */
function findJoinKey(node: PlanNode, ancestors: PlanNode[]): Unindexed | undefined {
  const join = ancestors.find(({ type }) => /Join|Nested Loop/.test(type))
  const between = join ? ancestors.slice(0, ancestors.indexOf(join)) : ancestors
  const condition = join?.joinCondition ?? join?.joinFilter
  const scanned = totalRows(node)
  if (
    !join ||
    !condition ||
    !node.relation ||
    between.some(({ type }) => !/^(Hash|Sort|Materialize|Gather)/.test(type))
  )
    return undefined
  if (scanned < MIN_SCANNED_ROWS || totalRows(join) > MAX_SELECTED_SHARE * scanned) return undefined
  const comparisons = readComparisons(condition, node.relation.alias)
  const reads = `reads all ${count(scanned)} rows of ${node.relation.table} for a join that keeps ${count(totalRows(join))}`
  return describeUnindexed(node, comparisons, reads, scanned - totalRows(join))
}

/** A table read and sorted as a whole for its first rows. */
function findOrder(node: PlanNode, ancestors: PlanNode[]): Unindexed | undefined {
  const [sort, limit] = ancestors.filter(({ type }) => !/^Gather/.test(type))
  const scanned = totalRows(node)
  if (sort?.type !== 'Sort' || limit?.type !== 'Limit' || !node.relation) return undefined
  if (scanned < MIN_SCANNED_ROWS || totalRows(limit) > MAX_SELECTED_SHARE * scanned) return undefined
  const alias = node.relation.alias
  const keys = sort.sortKey.flatMap((key) => readSortKey(key, alias) ?? [])
  const servable = keys.filter((key) => key.keys.length > 0)
  // An index in the order of some keys only would not spare the sort.
  const comparisons = servable.length === sort.sortKey.length ? servable : []
  const reads = `reads and sorts ${count(scanned)} rows of ${node.relation.table} to return the first ${count(totalRows(limit))}`
  return describeUnindexed(node, comparisons, reads, scanned - totalRows(limit))
}

function describeUnindexed(
  node: PlanNode,
  comparisons: Comparison[],
  reads: string,
  wastedRows: number
): Unindexed | undefined {
  const table = node.relation?.table ?? ''
  const servable = comparisons.filter(({ keys }) => keys.length > 0)
  const issue = { node: node.type, table, columns: unique(comparisons.map(({ column }) => column)) }
  if (servable.length === 0) {
    const hidden = comparisons.find(({ wrapper }) => wrapper !== null)
    const why = hidden?.wrapper
      ? `${hidden.wrapper} hides the column ${hidden.column} from any index: compare the column itself`
      : 'no ordinary index serves this condition'
    return {
      issue: { ...issue, kind: 'selective-scan', message: `${node.type} ${reads}: ${why}` },
      wastedRows
    }
  }
  const keys = orderKeys(servable)
  const columns = unique(keys.map(({ column }) => column))
  const hidden = keys.find(({ wrapper, keys: [key] }) => wrapper !== null && key?.startsWith('('))
  const why = hidden?.wrapper
    ? `${hidden.wrapper} hides ${table}.${hidden.column} from an index on the column`
    : `no index on ${columns.map((column) => `${table}.${column}`).join(', ')} serves it`
  return {
    issue: { ...issue, columns, kind: 'unindexed-scan', message: `${node.type} ${reads}: ${why}` },
    candidate: {
      table,
      columns,
      alternatives: uniqueLists([
        keys.map(({ keys: [first] }) => first as string),
        keys.map(({ keys }) => keys.at(-1) as string)
      ])
    },
    wastedRows
  }
}

/** Columns compared for equality lead an index, one range may follow. */
function orderKeys(comparisons: Comparison[]): Comparison[] {
  const equal = comparisons.filter(({ operator }) => operator === 'equality')
  const range = comparisons.find(({ operator }) => operator === 'range')
  return range ? [...equal, range] : equal
}

type Rule = (node: PlanNode, ancestors: PlanNode[]) => PlanIssue | undefined

const RULES: readonly Rule[] = [
  findSpill,
  findCartesian,
  findManyLoops,
  findSkippedRows,
  findMisestimate,
  findManyRows
]

function findSpill(node: PlanNode): PlanIssue | undefined {
  if (node.spilledKb === 0 && node.hashBatches <= 1) return undefined
  const isSort = /Sort/.test(node.type)
  const size = node.spilledKb > 0 ? `${count(node.spilledKb)} KB` : `${node.hashBatches} batches`
  return toIssue(node, isSort ? 'sort-spilled' : 'hash-spilled', [
    `${node.type} of ${count(totalRows(isSort ? node : (node.children[0] ?? node)))} rows did not fit into memory`,
    `and wrote ${size} to disk: fewer or narrower rows, an index in that order, or more work_mem`
  ])
}

function findCartesian(node: PlanNode): PlanIssue | undefined {
  const [outer, inner] = node.children
  if (node.type !== 'Nested Loop' || !outer || !inner || node.joinFilter !== undefined) return undefined
  const innerRows = inner.actualRows ?? 0
  if (totalRows(outer) < 2 || innerRows < 2 || totalRows(node) < MIN_CARTESIAN_ROWS) return undefined
  if (isBoundToOuter(inner, outer)) return undefined
  return toIssue(node, 'cartesian-join', [
    `every one of ${count(totalRows(outer))} rows is joined with every one of ${count(innerRows)}:`,
    'a join condition is missing'
  ])
}

/** Whether what the inner side looks for depends on the outer row. */
function isBoundToOuter(inner: PlanNode, outer: PlanNode): boolean {
  const aliases = walkPlan(outer).flatMap(({ node }) => node.relation?.alias ?? [])
  return walkPlan(inner).some(({ node: { indexCondition = '', filter = '' } }) =>
    aliases.some((alias) => mentionsTable(`${indexCondition} ${filter}`, alias))
  )
}

function findManyLoops(node: PlanNode): PlanIssue | undefined {
  const inner = node.children[1]
  if (node.type !== 'Nested Loop' || !inner || inner.loops < MIN_LOOPS || /Materialize/.test(inner.type))
    return undefined
  return toIssue(node, 'many-loops', [
    `the inner side (${inner.type}) is run ${count(inner.loops)} times, once for each outer row`
  ])
}

function findSkippedRows(node: PlanNode): PlanIssue | undefined {
  const skipped = countSkipped(node)
  if (skipped === 0) return undefined
  return toIssue(node, 'rows-skipped', [
    `OFFSET reads ${count(skipped)} rows and throws them away to return ${count(totalRows(node))}:`,
    'page by the last key seen (WHERE key > $1 ORDER BY key) instead'
  ])
}

/** @returns what OFFSET left out, where that is most of what it read */
function countSkipped(node: PlanNode): number {
  const [child] = node.children
  if (node.type !== 'Limit' || !child) return 0
  const skipped = totalRows(child) - totalRows(node)
  const isMost = skipped >= MIN_SKIPPED_ROWS && totalRows(node) <= MAX_SELECTED_SHARE * totalRows(child)
  return isMost ? skipped : 0
}

function findMisestimate(node: PlanNode, ancestors: PlanNode[]): PlanIssue | undefined {
  const { actualRows, plannedRows, loops } = node
  if (actualRows === undefined || loops === 0) return undefined
  const [low, high] = [Math.min(actualRows, plannedRows), Math.max(actualRows, plannedRows)]
  if (high < MIN_MISESTIMATED_ROWS || high < MISESTIMATE_FACTOR * Math.max(low, 1)) return undefined
  // Below a LIMIT a node is stopped early, and is as right as it can be.
  if (actualRows < plannedRows && ancestors.some(({ type }) => type === 'Limit')) return undefined
  return toIssue(node, 'misestimate', [
    `${count(plannedRows)} rows were expected and ${count(actualRows)} came:`,
    'ANALYZE the table, or the condition is one that statistics do not cover'
  ])
}

function findManyRows(node: PlanNode, ancestors: PlanNode[]): PlanIssue | undefined {
  if (ancestors.length > 0 || totalRows(node) < MIN_RETURNED_ROWS) return undefined
  return toIssue(node, 'many-rows', [
    `${count(totalRows(node))} rows are returned: select what is needed (WHERE, LIMIT), or aggregate in the database`
  ])
}

function toIssue(node: PlanNode, kind: PlanIssue['kind'], texts: string[]): PlanIssue {
  const relation = node.relation ? ` on ${node.relation.table}` : ''
  return {
    kind,
    node: node.type,
    table: node.relation?.table ?? null,
    columns: [],
    message: `${node.type}${relation}: ${texts.join(' ')}`
  }
}

function times(loops: number): string {
  return loops > 1 ? `, ${count(loops)} times` : ''
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function unique<T>(items: T[]): T[] {
  return [...new Set(items)]
}

function uniqueLists(lists: string[][]): string[][] {
  return lists.filter((list, index) => lists.findIndex((other) => other.join() === list.join()) === index)
}
