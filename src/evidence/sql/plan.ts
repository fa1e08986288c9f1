/** A plan as auto_explain (or EXPLAIN with FORMAT JSON) tells it, in the words of this code. */
import { quoteIdentifier } from './conditions.ts'
import { normalizeSql } from './normalize.ts'

/** A plan of a thousand nodes is a machine's; nobody reads it, and its text is not kept. */
const MAX_TEXT_LINES = 60

export interface PlanNode {
  /** PostgreSQL's name of it, such as `Seq Scan`. */
  type: string
  /** Of scans. */
  relation?: { table: string; alias: string }
  /** Where one node's rows come from several workers, each counts as a loop. */
  isParallel: boolean
  joinType?: string
  /** The planner's, of one loop. */
  plannedRows: number
  /** Means of one loop; absent where the plan was only made, or another branch was taken. */
  actualRows?: number
  loops: number
  cost: number
  removedByFilter: number
  removedByJoinFilter: number
  /** Conditions as the database writes them, values included. */
  filter?: string
  joinFilter?: string
  joinCondition?: string
  indexCondition?: string
  sortKey: string[]
  indexName?: string
  /** What did not fit into memory, in KB. */
  spilledKb: number
  hashBatches: number
  children: PlanNode[]
}

type RawNode = Record<string, unknown> & { Plans?: RawNode[] }

/** @param json auto_explain's text. @throws SyntaxError */
export function parsePlan(json: string): PlanNode {
  return toNode((JSON.parse(json) as { Plan: RawNode }).Plan)
}

/** @param explained EXPLAIN's one value, as the driver has parsed it */
export function readExplained(explained: unknown): PlanNode {
  return toNode((explained as [{ Plan: RawNode }])[0].Plan)
}

/** @returns the node and all below it, each with its ancestors, the nearest first */
export function walkPlan(root: PlanNode): { node: PlanNode; ancestors: PlanNode[] }[] {
  const found: { node: PlanNode; ancestors: PlanNode[] }[] = []
  function visit(node: PlanNode, ancestors: PlanNode[]): void {
    found.push({ node, ancestors })
    for (const child of node.children) visit(child, [node, ...ancestors])
  }
  visit(root, [])
  return found
}

/** @returns one line a node, indented by depth, without values */
export function describePlan(root: PlanNode): string[] {
  const lines = walkPlan(root).map(
    ({ node, ancestors }) => '  '.repeat(ancestors.length) + describeNode(node)
  )
  return lines.length > MAX_TEXT_LINES ? [...lines.slice(0, MAX_TEXT_LINES), '…'] : lines
}

/** @returns rows that the node put out in all its loops */
export function totalRows({ actualRows = 0, loops }: PlanNode): number {
  return Math.round(actualRows * loops)
}

function toNode(raw: RawNode): PlanNode {
  const text = (name: string) => (typeof raw[name] === 'string' ? (raw[name] as string) : undefined)
  const number = (name: string) => (typeof raw[name] === 'number' ? (raw[name] as number) : 0)
  const table = text('Relation Name')
  const schema = text('Schema')
  const optional = {
    joinType: text('Join Type'),
    filter: text('Filter'),
    joinFilter: text('Join Filter'),
    joinCondition: text('Hash Cond') ?? text('Merge Cond'),
    indexCondition: text('Index Cond') ?? text('Recheck Cond'),
    indexName: text('Index Name'),
    actualRows: typeof raw['Actual Rows'] === 'number' ? raw['Actual Rows'] : undefined,
    relation:
      table === undefined ? undefined : { table: qualify(schema, table), alias: text('Alias') ?? table }
  }
  return {
    type: text('Node Type') ?? 'unknown',
    isParallel: raw['Parallel Aware'] === true,
    plannedRows: number('Plan Rows'),
    loops: number('Actual Loops'),
    cost: number('Total Cost'),
    removedByFilter: number('Rows Removed by Filter'),
    removedByJoinFilter: number('Rows Removed by Join Filter'),
    sortKey: Array.isArray(raw['Sort Key']) ? raw['Sort Key'].map(String) : [],
    spilledKb: text('Sort Space Type') === 'Disk' ? number('Sort Space Used') : number('Disk Usage'),
    hashBatches: Math.max(number('Hash Batches'), number('HashAgg Batches')),
    children: (raw.Plans ?? []).map(toNode),
    ...withoutUndefined(optional)
  }
}

function qualify(schema: string | undefined, table: string): string {
  return schema === undefined
    ? quoteIdentifier(table)
    : `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
}

function describeNode(node: PlanNode): string {
  const condition = node.filter ?? node.joinFilter ?? node.joinCondition ?? node.indexCondition
  return [
    node.type,
    node.relation && `on ${node.relation.table}`,
    node.indexName && `by ${node.indexName}`,
    `(${describeRows(node)}, cost ${Math.round(node.cost)})`,
    condition && normalizeSql(condition)
  ]
    .filter(Boolean)
    .join(' ')
}

function describeRows({
  actualRows,
  plannedRows,
  loops,
  removedByFilter,
  removedByJoinFilter
}: PlanNode): string {
  const removed = removedByFilter + removedByJoinFilter
  return [
    actualRows === undefined || loops === 0 ? 'not run' : `${Math.round(actualRows)} rows`,
    `${plannedRows} expected`,
    ...(removed > 0 ? [`${removed} removed`] : []),
    ...(loops > 1 ? [`${loops} times`] : [])
  ].join(', ')
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
