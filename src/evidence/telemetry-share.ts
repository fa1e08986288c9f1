/**
 * What observing a process costs its main thread, read from the profile that runs anyway: the CPU time of samples
 * whose innermost frame in a source file belongs to tracing or to the profilers.
 */
import { fileURLToPath } from 'node:url'
import type { Profile, Sample } from 'pprof-format'
import { GARBAGE_COLLECTION } from './cpu-samples.ts'

const NANOS_PER_MS = 1e6
/** Of cutting profiles the CPU time is measured directly, so its samples are left out. */
const CUTTING = '/node_modules/@datadog/pprof/'
/** They wrap functions of the runtime, which works for whoever called the wrapper: only what they do themselves counts. */
const WRAPPERS = [
  '/node_modules/dd-trace/packages/datadog-instrumentations/',
  '/node_modules/@opentelemetry/instrumentation'
]
const PACKAGES = ['@opentelemetry/', 'dd-trace/', 'import-in-the-middle/', '@sentry-internal/']
const OWN_DIRS = ['../telemetry/', '../evidence/'].map((each) =>
  fileURLToPath(new URL(each, import.meta.url))
)

/** CPU time in ms. */
export interface ThreadTimes {
  telemetryMs: number
  garbageCollectionMs: number
  otherMs: number
}

type Owner = keyof ThreadTimes | 'cutting' | 'wrapper' | undefined

/** @param profile as @datadog/pprof serializes it: wall time and CPU time are a sample's second and third value */
export function readThreadTimes(profile: Profile): ThreadTimes {
  const ownerOfLocation = createOwnerLookup(profile)
  const times: ThreadTimes = { telemetryMs: 0, garbageCollectionMs: 0, otherMs: 0 }
  for (const sample of profile.sample) {
    const owner = findOwner(sample, ownerOfLocation)
    if (owner !== 'cutting') times[owner] += Number(sample.value[2] ?? 0) / NANOS_PER_MS
  }
  return times
}

/** Telemetry's own time and its part of the garbage collection. */
export function telemetryCpuMs({ telemetryMs, garbageCollectionMs, otherMs }: ThreadTimes): number {
  const share = telemetryMs / (telemetryMs + otherMs)
  return telemetryMs + (Number.isFinite(share) ? share * garbageCollectionMs : 0)
}

function findOwner(
  { locationId }: Sample,
  ownerOfLocation: (id: number) => Owner
): keyof ThreadTimes | 'cutting' {
  for (const [depth, id] of locationId.entries()) {
    const owner = ownerOfLocation(Number(id))
    if (owner === 'wrapper' && depth === 0) return 'telemetryMs'
    if (owner !== undefined && owner !== 'wrapper') return owner
  }
  return 'otherMs'
}

/** Undefined for frames of the runtime, which work for whoever called them. */
function createOwnerLookup({ function: functions, location, stringTable }: Profile): (id: number) => Owner {
  const { strings } = stringTable
  const ownerOfFunction = new Map<number, Owner>()
  for (const { id, name, filename } of functions) {
    ownerOfFunction.set(Number(id), classify(strings[Number(name)] ?? '', strings[Number(filename)] ?? ''))
  }
  const functionOfLocation = new Map(
    location.map(({ id, line }) => [Number(id), Number(line[0]?.functionId)])
  )
  return (id) => ownerOfFunction.get(functionOfLocation.get(id) ?? -1)
}

function classify(functionName: string, scriptName: string): Owner {
  if (functionName === GARBAGE_COLLECTION) return 'garbageCollectionMs'
  const file = scriptName.startsWith('file://') ? fileURLToPath(scriptName) : scriptName
  if (file === '' || file.startsWith('node:')) return undefined
  if (file.includes(CUTTING)) return 'cutting'
  if (WRAPPERS.some((each) => file.includes(each))) return 'wrapper'
  const isTelemetry =
    OWN_DIRS.some((dir) => file.startsWith(dir)) ||
    PACKAGES.some((each) => file.includes(`/node_modules/${each}`))
  return isTelemetry ? 'telemetryMs' : 'otherMs'
}
