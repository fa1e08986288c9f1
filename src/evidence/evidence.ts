/** What a window recorded, in one piece. Loads nothing native: for the thread that concludes. */
import type { CpuSample } from './cpu-samples.ts'
import type { EvidencePart } from './evidence-stream.ts'
import { createLineIndex, type LineIndex } from './line-index.ts'
import type { RecordedSpan } from './span-recorder.ts'
import type { CapturedPlan } from './sql/plan-capture.ts'

export interface Evidence {
  /** Milliseconds since the Unix epoch. */
  startMs: number
  endMs: number
  spans: RecordedSpan[]
  droppedSpans: number
  /** The main thread's samples in order of time, idle ones included. */
  samples: CpuSample[]
  lines: LineIndex
  /** Of each statement the slowest execution's, where the window was to take plans. */
  plans: CapturedPlan[]
  /** The longest that the window held the main thread up in one go, in ms. */
  pauseMs: number
}

/**
 * @param parts of one window, in order, at least one
 * @param lines of all parts, unless they are not needed
 */
export function joinEvidence(
  parts: readonly EvidencePart[],
  lines = createLineIndex(parts.map((part) => part.lines))
): Evidence {
  const { startMs, endMs, droppedSpans, pauseMs } = parts.at(-1) as EvidencePart
  return {
    startMs,
    endMs,
    spans: parts.flatMap(({ spans }) => spans),
    droppedSpans,
    samples: parts.flatMap(({ samples }) => samples),
    lines,
    plans: parts.flatMap(({ plans }) => plans),
    pauseMs
  }
}
