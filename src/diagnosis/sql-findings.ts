/** Findings about SQL: statements that repeat under one span, and statements that are slow by themselves. */
import type { CallSite } from '../evidence/call-site.ts'
import type { CpuSample } from '../evidence/cpu-samples.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import type { SpanTree } from '../evidence/span-tree.ts'
import {
  findRepeatedStatements,
  findSlowStatements,
  type RepeatedStatement,
  type SlowStatement
} from '../evidence/sql/statements.ts'
import { type Finding, round } from './finding.ts'
import { MIN_SLOW_STATEMENT_MS } from './thresholds.ts'

export function findSqlFindings(
  tree: SpanTree,
  samples: readonly CpuSample[],
  sources: SourceTree
): Finding[] {
  return [
    ...findRepeatedStatements(tree, samples, sources).map((repeated) =>
      toRepeatedFinding(repeated, tree, sources)
    ),
    ...findSlowStatements(tree, samples, sources, MIN_SLOW_STATEMENT_MS).map((slow) =>
      toSlowFinding(slow, tree, sources)
    )
  ]
}

function toRepeatedFinding(repeated: RepeatedStatement, tree: SpanTree, sources: SourceTree): Finding {
  const { parentName, callsPerParent, msPerParent, parents } = repeated
  return {
    ...toSqlFinding(repeated, msPerParent, tree, sources),
    calls_per_request: round(callsPerParent),
    cost_ms_per_request: round(msPerParent),
    evidence: [
      `the same statement ${round(callsPerParent)} times under one ${parentName}, in ${parents} requests`,
      `the event loop had nothing else to do for ${round(msPerParent)} ms of a request`
    ],
    suggestion:
      'One statement for all of them: join, or pass the keys as an array (WHERE key = ANY($1)), and group the rows in memory.'
  }
}

function toSlowFinding(slow: SlowStatement, tree: SpanTree, sources: SourceTree): Finding {
  const { parentName, msPerCall, calls } = slow
  return {
    ...toSqlFinding(slow, msPerCall, tree, sources),
    cost_ms_per_request: round(msPerCall),
    evidence: [`${round(msPerCall)} ms for one execution under ${parentName}, on the mean of ${calls}`],
    suggestion:
      'Ask the database for its plan (EXPLAIN ANALYZE): a missing index, or more rows than are needed.'
  }
}

function toSqlFinding(
  { parentName, statement, callSite }: { parentName: string; statement: string; callSite?: CallSite },
  costMs: number,
  tree: SpanTree,
  sources: SourceTree
) {
  const parents = tree.byName.get(parentName) ?? []
  const spanMs = parents.reduce((sum, span) => sum + span.endMs - span.startMs, 0) / parents.length
  const file = callSite ? sources.relativePath(callSite.file) : null
  return {
    kind: 'sql' as const,
    severity: 'fault' as const,
    span: parentName,
    function: callSite?.functionName ?? null,
    file,
    line: callSite?.line ?? null,
    line_exact: callSite !== undefined,
    chain: callSite
      ? [
          {
            function: callSite.functionName ?? '(anonymous)',
            file: sources.relativePath(callSite.file),
            line: callSite.line,
            source: sources.lineText(callSite.file, callSite.line)
          }
        ]
      : [],
    share_of_span: round(Math.min(costMs / spanMs, 1), 3),
    statement,
    samples: 0
  }
}
