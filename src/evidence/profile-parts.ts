/** Parts of one CPU profile, put together again with the labels of whoever asked for the whole. */
import {
  Function as FunctionEntry,
  Label,
  Line,
  Location,
  Profile,
  Sample,
  type StringTable
} from 'pprof-format'
import type { SampleArgs } from './profiler.ts'

/** Names what a sample was labelled from: its index in `ProfilePart.labelledFrom`. */
export const ORIGIN_LABEL = 'origin'

/** A piece of a profile, and what the native profiler knew of each of its samples. */
export interface ProfilePart {
  profile: Profile
  labelledFrom: SampleArgs[]
}

/** Owners label with big integers too, which is more than the library's own types know. */
export type OwnerLabel = (args: SampleArgs) => Record<string, string | number | bigint>

/**
 * @param parts of one profiler, in order of time; they are left as they are
 * @param label gives the labels that the whole carries instead of those of the parts
 */
export function joinProfileParts(parts: [ProfilePart, ...ProfilePart[]], label: OwnerLabel): Profile {
  const [first, ...rest] = parts
  const whole = new Profile({
    sampleType: first.profile.sampleType,
    ...(first.profile.periodType && { periodType: first.profile.periodType }),
    period: first.profile.period,
    timeNanos: first.profile.timeNanos,
    durationNanos: first.profile.durationNanos,
    comment: first.profile.comment,
    stringTable: first.profile.stringTable,
    function: [...first.profile.function],
    location: [...first.profile.location],
    sample: relabel(first, first.profile.stringTable, label)
  })
  for (const part of rest) append(whole, part, label)
  return whole
}

function append(whole: Profile, part: ProfilePart, label: OwnerLabel): void {
  const { profile } = part
  // Ids count from 1 in every part.
  const functionOffset = whole.function.length
  const locationOffset = whole.location.length
  const moveString = (index: number | bigint) =>
    whole.stringTable.dedup(profile.stringTable.strings[Number(index)] ?? '')
  for (const fn of profile.function) {
    whole.function.push(
      new FunctionEntry({
        ...fn,
        id: Number(fn.id) + functionOffset,
        name: moveString(fn.name),
        systemName: moveString(fn.systemName),
        filename: moveString(fn.filename)
      })
    )
  }
  for (const { id, line } of profile.location) {
    const lines = line.map(
      (each) => new Line({ ...each, functionId: Number(each.functionId) + functionOffset })
    )
    whole.location.push(new Location({ id: Number(id) + locationOffset, line: lines }))
  }
  for (const sample of relabel(part, whole.stringTable, label)) {
    sample.locationId = sample.locationId.map((id) => Number(id) + locationOffset)
    whole.sample.push(sample)
  }
  whole.durationNanos = Number(whole.durationNanos) + Number(profile.durationNanos)
}

function relabel({ profile, labelledFrom }: ProfilePart, strings: StringTable, label: OwnerLabel): Sample[] {
  const originKey = profile.stringTable.strings.indexOf(ORIGIN_LABEL)
  return profile.sample.map(function relabelSample(sample) {
    const origin = sample.label.find(({ key }) => Number(key) === originKey)
    const args = labelledFrom[Number(origin?.num)]
    return new Sample({
      locationId: sample.locationId,
      value: sample.value,
      label: args === undefined ? [] : toLabels(label(args), strings)
    })
  })
}

function toLabels(labels: ReturnType<OwnerLabel>, strings: StringTable): Label[] {
  return Object.entries(labels).map(function toLabel([name, value]) {
    const key = strings.dedup(name)
    return new Label(typeof value === 'string' ? { key, str: strings.dedup(value) } : { key, num: value })
  })
}
