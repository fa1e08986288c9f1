import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Function as Fn, Line, Location, Profile, Sample, StringTable } from 'pprof-format'
import { readThreadTimes, telemetryCpuMs } from '../../src/evidence/telemetry-share.ts'

const ROOT_DIR = path.resolve(import.meta.dirname, '../..')

/** Each stack is leaf first, as `function file`; its CPU time in ms. */
function createProfile(stacks: [frames: string[], cpuMs: number][]): Profile {
  const stringTable = new StringTable()
  const ids = new Map<string, number>()
  const fns: Fn[] = []
  const location: Location[] = []
  function locate(frame: string): number {
    const known = ids.get(frame)
    if (known !== undefined) return known
    const id = ids.size + 1
    ids.set(frame, id)
    const [name = '', file = ''] = frame.split('|')
    fns.push(new Fn({ id, name: stringTable.dedup(name), filename: stringTable.dedup(file) }))
    location.push(new Location({ id, line: [new Line({ functionId: id, line: 1 })] }))
    return id
  }
  const sample = stacks.map(
    ([frames, cpuMs]) => new Sample({ locationId: frames.map(locate), value: [1, cpuMs * 1e6, cpuMs * 1e6] })
  )
  return new Profile({ sample, location, function: fns, stringTable })
}

const own = (file: string) => pathToFileURL(path.join(ROOT_DIR, file)).href
const STAGE = `rerank|${own('src/pipeline/rerank.ts')}`
const RUN_IN_SPAN = `runInSpan|${own('src/telemetry/traced.ts')}`
const WRAPPED_FETCH =
  'fetch|/app/node_modules/dd-trace/packages/datadog-instrumentations/src/helpers/fetch.js'
const ADD_SPAN = '_addSpan|file:///app/node_modules/@opentelemetry/sdk-trace/dist/index.mjs'

test('a sample is charged to whoever the runtime works for, not to whom it was called through', () => {
  const times = readThreadTimes(
    createProfile([
      [[STAGE, RUN_IN_SPAN], 50],
      [['writev|', 'emit|node:events', ADD_SPAN, RUN_IN_SPAN, STAGE], 4],
      // A wrapper's own time, and what the runtime does for whoever called it.
      [[WRAPPED_FETCH, STAGE], 1],
      [['dispatch|', WRAPPED_FETCH, STAGE], 9],
      [['parse|', STAGE, RUN_IN_SPAN], 20],
      [[`endSpan|${own('src/telemetry/request-spans.ts')}`], 6],
      [['Garbage Collection|'], 8],
      [['(program)|'], 1],
      // Its time is measured directly.
      [['stop|/app/node_modules/@datadog/pprof/out/src/time-profiler.js'], 3]
    ])
  )
  assert.deepEqual(times, { telemetryMs: 11, garbageCollectionMs: 8, otherMs: 80 })
  assert.equal(telemetryCpuMs(times), 11 + (8 * 11) / 91)
})

test('a thread that did nothing cost nothing', () => {
  assert.equal(telemetryCpuMs(readThreadTimes(createProfile([]))), 0)
})
