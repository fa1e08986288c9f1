/** Decodes the labelled pprof profile into plain samples. */
import { fileURLToPath } from 'node:url'
import type { Label, Profile, Sample } from 'pprof-format'
import { LABEL } from './sampling.ts'

/** One stack frame. */
export interface Frame {
  /** Empty for an anonymous function. */
  functionName: string
  /** Absolute path, `node:…`, or empty for the runtime's own. */
  file: string
  /** The line on which the function begins; 0 when it has none. */
  startLine: number
}

/** Tells frames apart, wherever in their function they are. */
export function frameKey({ functionName, file, startLine }: Frame): string {
  return `${functionName}@${file}:${startLine}`
}

/** One sample of the main thread. */
export interface CpuSample {
  /** Microseconds since the Unix epoch, at the end of the sampled interval. */
  timestampMicros: number
  /** Wall time on the thread that the sample stands for, in ms; 0 while the thread idles. */
  wallMs: number
  /** CPU time the thread used since the sample before, in ms. */
  cpuMs: number
  /**
   * What the sample takes from the thread, in ms: its CPU time, since on a crowded machine wall time is mostly
   * waiting for a core; but its wall time where it blocks in a system call. 0 while the thread idles.
   */
  costMs: number
  /** True where it blocks in a system call instead of computing. */
  isBlocked: boolean
  spanId?: string
  traceId?: string
  /** Leaf first. */
  frames: Frame[]
}

const ANONYMOUS = /^\(anonymous(:L#\d+)?(:C#\d+)?\)$/
const NON_JS_THREADS = 'Non JS threads activity'
export const GARBAGE_COLLECTION = 'Garbage Collection'
const NANOS_PER_MS = 1e6
/** A thread that computes so little of a sampled interval waits inside a call. */
const MAX_BLOCKED_CPU_SHARE = 0.3
/** JavaScript sleeps only in calls that leave no frame, such as Atomics.wait: it then computes next to nothing … */
const MAX_ASLEEP_CPU_SHARE = 0.1
/** … in so many samples on end. A signal wakes a sleeper each time; a thread without a core is sampled when it gets one. */
const MIN_ASLEEP_SAMPLES = 3

/**
 * @param profile as @datadog/pprof serializes it, with the labels of `profiler.ts`
 * @param coreWaitMs how long, meanwhile, the thread was ready to run and got no core
 * @returns its samples in order of time, idle ones included; other threads' activity is left out
 */
export function decodeCpuSamples(profile: Profile, coreWaitMs = 0): CpuSample[] {
  const framesOf = createFrameReader(profile)
  // Where the platform measures no CPU time of threads all of it reads 0.
  const hasCpuTime = profile.sample.some((sample) => Number(sample.value[2] ?? 0) > 0)
  const samples: CpuSample[] = []
  for (const sample of profile.sample) {
    const frames = framesOf(sample)
    if (frames[0]?.functionName === NON_JS_THREADS) continue
    samples.push(decodeSample(profile, sample, frames, hasCpuTime))
  }
  samples.sort(byTimestamp)
  return takeOffCoreWait(hasCpuTime ? markSleepers(samples) : samples, coreWaitMs)
}

/** A system call in the frame of the JavaScript function that makes it: told by how long it does nothing. */
function markSleepers(samples: CpuSample[]): CpuSample[] {
  const marked = [...samples]
  let start = 0
  for (let end = 1; end <= samples.length; end++) {
    const first = samples[start]
    if (first && isAsleep(first) && isAsleep(samples[end]) && isSameWork(first, samples[end])) continue
    if (end - start >= MIN_ASLEEP_SAMPLES) {
      for (let i = start; i < end; i++) marked[i] = block(samples[i] as CpuSample)
    }
    start = end
  }
  return marked
}

function isAsleep(sample: CpuSample | undefined): boolean {
  return sample !== undefined && sample.wallMs > 0 && sample.cpuMs < sample.wallMs * MAX_ASLEEP_CPU_SHARE
}

function isSameWork(a: CpuSample, b: CpuSample | undefined): boolean {
  const [leafA, leafB] = [a.frames[0], b?.frames[0]]
  return (
    leafA !== undefined &&
    leafB !== undefined &&
    a.spanId === b?.spanId &&
    frameKey(leafA) === frameKey(leafB)
  )
}

function block(sample: CpuSample): CpuSample {
  return { ...sample, isBlocked: true, costMs: sample.wallMs }
}

/**
 * A thread without a core looks like one that blocks in a system call. Which of its samples it was can't be told:
 * each gives up the same part of the time it did not compute.
 */
function takeOffCoreWait(samples: CpuSample[], coreWaitMs: number): CpuSample[] {
  const notComputingMs = samples.reduce((sum, { wallMs, cpuMs }) => sum + Math.max(wallMs - cpuMs, 0), 0)
  const ownShare = Math.max(0, 1 - coreWaitMs / notComputingMs)
  return samples.map(function takeOff(sample) {
    if (!sample.isBlocked) return sample
    const costMs = sample.cpuMs + (sample.wallMs - sample.cpuMs) * ownShare
    return { ...sample, costMs, isBlocked: ownShare > 0.5 }
  })
}

/** JavaScript computes, as a rule; the runtime's own functions make system calls. */
function mayBlock(leaf: Frame | undefined): boolean {
  if (!leaf || leaf.functionName === GARBAGE_COLLECTION || leaf.functionName.startsWith('RegExp: '))
    return false
  return leaf.file === '' || leaf.file.startsWith('node:')
}

function byTimestamp(a: CpuSample, b: CpuSample): number {
  return a.timestampMicros - b.timestampMicros
}

function decodeSample(profile: Profile, sample: Sample, frames: Frame[], hasCpuTime: boolean): CpuSample {
  const spanId = stringLabel(profile, sample, LABEL.spanId)
  const traceId = stringLabel(profile, sample, LABEL.traceId)
  const wallMs = Number(sample.value[1] ?? 0) / NANOS_PER_MS
  const cpuMs = Number(sample.value[2] ?? 0) / NANOS_PER_MS
  const isBlocked = hasCpuTime && mayBlock(frames[0]) && cpuMs < wallMs * MAX_BLOCKED_CPU_SHARE
  return {
    timestampMicros: Number(findLabel(profile, sample, LABEL.timestampMicros)?.num ?? 0),
    wallMs,
    cpuMs,
    costMs: wallMs === 0 || isBlocked || !hasCpuTime ? wallMs : cpuMs,
    isBlocked,
    ...(spanId === undefined ? {} : { spanId }),
    ...(traceId === undefined ? {} : { traceId }),
    frames
  }
}

function findLabel(profile: Profile, sample: Sample, key: string): Label | undefined {
  return sample.label.find((label) => profile.stringTable.strings[Number(label.key)] === key)
}

function stringLabel(profile: Profile, sample: Sample, key: string): string | undefined {
  const label = findLabel(profile, sample, key)
  return label === undefined ? undefined : profile.stringTable.strings[Number(label.str)]
}

/** @returns what gives the frames of one of the profile's samples, leaf first */
export function createFrameReader(profile: Profile): (sample: Sample) => Frame[] {
  const strings = profile.stringTable.strings
  const functions = new Map(profile.function.map((fn) => [Number(fn.id), fn]))
  const frames = new Map<number, Frame>()
  for (const location of profile.location) {
    const line = location.line[0]
    const fn = line && functions.get(Number(line.functionId))
    if (!line || !fn) continue
    const name = strings[Number(fn.name)] ?? ''
    frames.set(Number(location.id), {
      functionName: ANONYMOUS.test(name) ? '' : name,
      file: toPath(strings[Number(fn.filename)] ?? ''),
      startLine: Number(line.line)
    })
  }
  return function framesOf(sample) {
    return sample.locationId.flatMap((id) => frames.get(Number(id)) ?? [])
  }
}

/** @returns a script's address as an absolute path; `node:` addresses and plain paths as they are. */
export function toPath(scriptName: string): string {
  return scriptName.startsWith('file://') ? fileURLToPath(scriptName) : scriptName
}
