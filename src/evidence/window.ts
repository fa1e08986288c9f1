/** A window of evidence: everything that is recorded between its opening and its closing, as plain data. */
import { performance } from 'node:perf_hooks'
import { type CpuSample, decodeCpuSamples } from './cpu-samples.ts'
import { createLineIndex, type LineIndex } from './line-index.ts'
import { closeLineCapture, openLineCapture } from './line-profiler.ts'
import { closeCpuCapture, openCpuCapture } from './profiler.ts'
import { type RecordedSpan, spanRecorder } from './span-recorder.ts'

export interface Evidence {
  /** Milliseconds since the Unix epoch. */
  startMs: number
  endMs: number
  spans: RecordedSpan[]
  droppedSpans: number
  /** The main thread's samples in order of time, idle ones included. */
  samples: CpuSample[]
  lines: LineIndex
  /** How long the opening and the closing held the main thread up, in ms. */
  pauseMs: number
}

export interface EvidenceWindow {
  close(): Evidence
}

/** Opens the window; only one can be open at a time. @throws Error when one is */
export function openEvidenceWindow(): EvidenceWindow {
  if (spanRecorder.isOpen) throw new Error('a window is open already')
  const openedAt = performance.now()
  openLineCapture()
  openCpuCapture()
  const startMs = Date.now()
  spanRecorder.open()
  const openPauseMs = performance.now() - openedAt

  function close(): Evidence {
    const closedAt = performance.now()
    const { droppedSpans } = spanRecorder
    const spans = spanRecorder.close()
    const profile = closeCpuCapture()
    const lineCapture = closeLineCapture()
    const closePauseMs = performance.now() - closedAt
    return {
      startMs,
      endMs: Date.now(),
      spans,
      droppedSpans,
      samples: decodeCpuSamples(profile).filter((sample) => sample.timestampMicros >= startMs * 1000),
      lines: createLineIndex(lineCapture),
      pauseMs: openPauseMs + closePauseMs
    }
  }

  return { close }
}
