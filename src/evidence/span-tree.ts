/** Looks up spans by id, their children, and the request (local root span) they belong to. */
import { SpanKind } from '@opentelemetry/api'
import type { RecordedSpan } from './span-recorder.ts'
import { normalizeSql } from './sql/normalize.ts'

/** Stands for the span of work that no request asked for: timers, background jobs. */
export const OUTSIDE_SPANS = '(outside any span)'

export interface SpanTree {
  /** Local roots: one a request. */
  requests: RecordedSpan[]
  /** All spans of those requests by name, in order of their first appearance. */
  byName: Map<string, RecordedSpan[]>
  find(spanId: string | undefined): RecordedSpan | undefined
  childrenOf(span: RecordedSpan): RecordedSpan[]
  /** @returns the span id of the request that a span belongs to; undefined when its root was not recorded */
  requestOf(span: RecordedSpan): string | undefined
}

export function buildSpanTree(spans: readonly RecordedSpan[]): SpanTree {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  const children = Map.groupBy(spans, (span) => span.parentSpanId)
  const requestIds = new Map<string, string | undefined>()

  function requestOf(span: RecordedSpan): string | undefined {
    if (span.parentSpanId === undefined) return span.spanId
    if (!requestIds.has(span.spanId)) {
      const parent = byId.get(span.parentSpanId)
      requestIds.set(span.spanId, parent && requestOf(parent))
    }
    return requestIds.get(span.spanId)
  }

  const rooted = spans.filter((span) => requestOf(span) !== undefined)
  return {
    requests: children.get(undefined) ?? [],
    byName: Map.groupBy(rooted, (span) => span.name),
    find(spanId) {
      return spanId === undefined ? undefined : byId.get(spanId)
    },
    childrenOf(span) {
      return children.get(span.spanId) ?? []
    },
    requestOf
  }
}

/** @returns the text of a database client span without its values, under the current or the older attribute name */
export function statementOf(span: RecordedSpan): string | undefined {
  if (span.kind !== SpanKind.CLIENT) return undefined
  const text = span.attributes['db.query.text'] ?? span.attributes['db.statement']
  return typeof text === 'string' ? normalizeSql(text) : undefined
}
