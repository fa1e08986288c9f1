/**
 * Writes a window's samples as a pprof profile that other tools read: Go's pprof, speedscope, Pyroscope, Parca.
 * Against what @datadog/pprof writes it has the hot line of each frame (and `start_line` where the function
 * begins), and the labels of each reader.
 */
import { gzipSync } from 'node:zlib'
import {
  Label,
  Line,
  Location,
  Profile,
  Function as ProfileFunction,
  Sample,
  StringTable,
  ValueType
} from 'pprof-format'
import { type CpuSample, type Frame, frameKey } from './cpu-samples.ts'
import type { Evidence } from './evidence.ts'
import { lineOfFrame } from './line-index.ts'
import { SAMPLING_INTERVAL_MICROS } from './sampling.ts'
import { buildSpanTree, type SpanTree } from './span-tree.ts'

const NANOS_PER_MS = 1e6

interface Folded {
  frames: Frame[]
  labels: Record<string, string>
  count: number
  wallMs: number
  cpuMs: number
}

/**
 * @param spanName keeps only the samples of spans of this name
 * @returns the gzipped profile: samples, wall and CPU time of the main thread, idle time left out
 */
export function exportCpuProfile(evidence: Evidence, spanName?: string): Uint8Array {
  const tree = buildSpanTree(evidence.spans)
  const writer = createWriter(evidence)
  const folded = fold(evidence.samples, tree).filter(
    ({ labels }) => spanName === undefined || labels['span name'] === spanName
  )
  for (const sample of folded) writer.add(sample)
  return gzipSync(writer.finish().encode())
}

function fold(samples: readonly CpuSample[], tree: SpanTree): Folded[] {
  const folded = new Map<string, Folded>()
  for (const { frames, spanId, wallMs, cpuMs } of samples) {
    if (wallMs === 0) continue
    const key = [spanId, ...frames.map(frameKey)].join('\n')
    const entry = folded.get(key) ?? { frames, labels: labelsOf(spanId, tree), count: 0, wallMs: 0, cpuMs: 0 }
    folded.set(key, entry)
    entry.count += 1
    entry.wallMs += wallMs
    entry.cpuMs += cpuMs
  }
  return [...folded.values()]
}

/** Pyroscope looks for `span_id` and `trace_id`, Datadog's readers for `span name` and `trace endpoint`. */
function labelsOf(spanId: string | undefined, tree: SpanTree): Record<string, string> {
  const span = tree.find(spanId)
  if (!span) return {}
  const request = tree.find(tree.requestOf(span))
  return {
    span_id: span.spanId,
    trace_id: span.traceId,
    'span name': span.name,
    ...(request ? { 'trace endpoint': request.name } : {})
  }
}

function createWriter({ lines, startMs, endMs }: Evidence) {
  const strings = new StringTable()
  const functions = new Map<string, ProfileFunction>()
  const locations = new Map<string, Location>()
  const samples: Sample[] = []
  const valueType = (type: string, unit: string) =>
    new ValueType({ type: strings.dedup(type), unit: strings.dedup(unit) })

  function functionOf(frame: Frame): ProfileFunction {
    const { functionName, file, startLine } = frame
    const key = frameKey(frame)
    const known = functions.get(key)
    if (known) return known
    const name = strings.dedup(functionName || '(anonymous)')
    const added = new ProfileFunction({
      id: functions.size + 1,
      name,
      systemName: name,
      filename: strings.dedup(file),
      startLine
    })
    functions.set(key, added)
    return added
  }

  function locationOf(frames: Frame[], depth: number): Location {
    const frame = frames[depth] as Frame
    const line = lineOfFrame(lines, frames, depth)
    const { id: functionId } = functionOf(frame)
    const key = `${functionId}:${line}`
    const known = locations.get(key)
    if (known) return known
    const added = new Location({ id: locations.size + 1, line: [new Line({ functionId, line })] })
    locations.set(key, added)
    return added
  }

  return {
    add({ frames, labels, count, wallMs, cpuMs }: Folded): void {
      samples.push(
        new Sample({
          locationId: frames.map((_, depth) => locationOf(frames, depth).id),
          value: [count, Math.round(wallMs * NANOS_PER_MS), Math.round(cpuMs * NANOS_PER_MS)],
          label: Object.entries(labels).map(
            ([key, value]) => new Label({ key: strings.dedup(key), str: strings.dedup(value) })
          )
        })
      )
    },
    finish(): Profile {
      return new Profile({
        sampleType: [
          valueType('samples', 'count'),
          valueType('wall', 'nanoseconds'),
          valueType('cpu', 'nanoseconds')
        ],
        sample: samples,
        location: [...locations.values()],
        function: [...functions.values()],
        stringTable: strings,
        timeNanos: BigInt(Math.round(startMs)) * 1_000_000n,
        durationNanos: Math.round((endMs - startMs) * NANOS_PER_MS),
        periodType: valueType('cpu', 'nanoseconds'),
        period: SAMPLING_INTERVAL_MICROS * 1000
      })
    }
  }
}
