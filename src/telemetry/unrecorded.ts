import { INVALID_TRACEID, type Span, TraceFlags, trace } from '@opentelemetry/api'
import { spanRecorder } from '../evidence/span-recorder.ts'

/**
 * The active span where nothing beneath it can be recorded, neither for export nor for a window of evidence: spans of
 * its own would be made only to be thrown away, nine of ten at the default sampling rate.
 * @returns undefined where a new span may be recorded
 */
export function findUnrecordedSpan(): Span | undefined {
  const span = trace.getActiveSpan()
  if (span === undefined || span.isRecording() || spanRecorder.isOpen) return undefined
  const { traceId, traceFlags } = span.spanContext()
  const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0
  return isSampled || traceId === INVALID_TRACEID ? undefined : span
}
