import { context, isSpanContextValid, type Span, TraceFlags } from '@opentelemetry/api'
import { getRPCMetadata } from '@opentelemetry/core'

/** The request's server span; the active one is by then a handler's or a stage's. Undefined without tracing. */
export function getServerSpan(): Span | undefined {
  return getRPCMetadata(context.active())?.span
}

export interface TraceReference {
  traceId: string
  isSampled: boolean
}

/** The current request's trace, or undefined where it has none: tracing is off, or the route is untraced. */
export function getCurrentTrace(): TraceReference | undefined {
  const span = getServerSpan()?.spanContext()
  if (span === undefined || !isSpanContextValid(span)) return undefined
  return { traceId: span.traceId, isSampled: (span.traceFlags & TraceFlags.SAMPLED) !== 0 }
}
