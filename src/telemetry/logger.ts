import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, pino } from 'pino'

/** Lines of a request carry its trace: the way from a log to the trace, and back. */
function addTraceIds(): Record<string, string> {
  const span = trace.getActiveSpan()?.spanContext()
  if (span === undefined || !isSpanContextValid(span)) return {}
  return { trace_id: span.traceId, span_id: span.spanId }
}

/** The one logger: JSON lines, on stdout unless told otherwise. */
export function createLogger(level: string, destination?: DestinationStream): Logger {
  return pino({ level, mixin: addTraceIds }, destination)
}
