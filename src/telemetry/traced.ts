import { type Attributes, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { noteSpanGrowth, readSpanStartBytes } from '../evidence/span-growth.ts'
import { findUnrecordedSpan } from './unrecorded.ts'

const tracer = trace.getTracer('span-to-line')

/**
 * Runs `fn` inside a new active span and returns what it returns. The span ends when `fn` returns, or when the
 * promise it returned settles. What `fn` throws is recorded on the span with ERROR status and thrown on.
 * Within a request that nobody records it gets the request's own span, which takes everything and keeps nothing.
 */
export function traced<T>(
  name: string,
  attributes: Attributes,
  fn: (span: Span) => T,
  kind: SpanKind = SpanKind.INTERNAL
): T {
  const startBytes = readSpanStartBytes()
  const unrecorded = findUnrecordedSpan()
  function end(span: Span): void {
    noteSpanGrowth(name, startBytes)
    span.end()
  }
  function runInSpan(span: Span): T {
    try {
      const result = fn(span)
      if (result instanceof Promise) return endWhenSettled(span, result, end) as T
      end(span)
      return result
    } catch (error) {
      recordError(span, error)
      end(span)
      throw error
    }
  }
  return unrecorded ? runInSpan(unrecorded) : tracer.startActiveSpan(name, { attributes, kind }, runInSpan)
}

async function endWhenSettled<T>(span: Span, pending: Promise<T>, end: (span: Span) => void): Promise<T> {
  try {
    return await pending
  } catch (error) {
    recordError(span, error)
    throw error
  } finally {
    end(span)
  }
}

/** Records the exception on the span and sets its status to ERROR. Takes anything that can be thrown. */
export function recordError(span: Span, error: unknown): void {
  const exception = error instanceof Error ? error : new Error(String(error))
  span.recordException(exception)
  span.setStatus({ code: SpanStatusCode.ERROR, message: exception.message })
}
