/** The exported profiles, read back by pprof-format. Go's own pprof reads them in test/integration. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Profile } from 'pprof-format'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { exportHeapProfile } from '../../src/evidence/heap-profiler.ts'
import { exportCpuProfile } from '../../src/evidence/pprof-export.ts'
import { readMarkedLines } from '../fixtures/marked-lines.ts'
import { captureSamples } from '../fixtures/slow-service/capture.ts'
import { type SlowService, startSlowService } from '../fixtures/slow-service/server.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const CASE = 'after-an-await'
const SPAN = `shop.${CASE}`

const marked = readMarkedLines(ROOT, 'test/fixtures/slow-service').get(CASE)
let service: SlowService
let evidence: Evidence

before(async () => {
  service = await startSlowService()
  evidence = await captureSamples(service.url, CASE)
})

after(() => service.close())

function decode(gzipped: Uint8Array) {
  const profile = Profile.decode(gunzipSync(gzipped))
  const text = (index: number | bigint) => profile.stringTable.strings[Number(index)] ?? ''
  const functions = new Map(profile.function.map((fn) => [Number(fn.id), fn]))
  const locations = new Map(profile.location.map((location) => [Number(location.id), location]))
  const samples = profile.sample.map((sample) => ({
    values: sample.value.map(Number),
    labels: Object.fromEntries(sample.label.map(({ key, str }) => [text(key), text(str)])),
    frames: sample.locationId.map((id) => {
      const line = locations.get(Number(id))?.line[0]
      const fn = functions.get(Number(line?.functionId))
      return {
        name: text(fn?.name ?? 0),
        file: text(fn?.filename ?? 0),
        startLine: Number(fn?.startLine),
        line: Number(line?.line)
      }
    })
  }))
  return { profile, text, samples }
}

describe('the exported CPU profile', () => {
  test('carries the labels that Pyroscope and Datadog look for, with ids of recorded spans', () => {
    const { samples } = decode(exportCpuProfile(evidence, SPAN))
    const spans = new Map(evidence.spans.map((span) => [span.spanId, span]))
    assert.ok(samples.length > 0)
    for (const { labels } of samples) {
      assert.equal(spans.get(labels.span_id ?? '')?.traceId, labels.trace_id)
      assert.equal(labels['span name'], SPAN)
      assert.equal(labels['trace endpoint'], `GET /${CASE}`)
    }
  })

  test('puts the hot line on the frame and its beginning on the function', () => {
    const { samples } = decode(exportCpuProfile(evidence, SPAN))
    const heaviest = samples.toSorted((a, b) => (b.values[0] ?? 0) - (a.values[0] ?? 0))[0]?.frames[0]
    assert.equal(heaviest?.name, 'priceAfterAwait')
    assert.ok(heaviest.file.endsWith(marked?.file ?? '?'))
    assert.ok(marked?.lines.includes(heaviest.line), `line ${heaviest.line} is none of ${marked?.lines}`)
    assert.ok(heaviest.startLine < heaviest.line)
  })

  test('measures samples, wall and CPU time, and loses none of them to folding', () => {
    const { profile, text, samples } = decode(exportCpuProfile(evidence))
    assert.deepEqual(
      profile.sampleType.map(({ type, unit }) => [text(type), text(unit)]),
      [
        ['samples', 'count'],
        ['wall', 'nanoseconds'],
        ['cpu', 'nanoseconds']
      ]
    )
    const busy = evidence.samples.filter(({ wallMs }) => wallMs > 0)
    assert.equal(
      samples.reduce((sum, { values }) => sum + (values[0] ?? 0), 0),
      busy.length
    )
  })
})

test('the exported heap profile names the site of what is alive', () => {
  const kept = keepAlive()
  const { profile, text, samples } = decode(exportHeapProfile())
  assert.deepEqual(
    profile.sampleType.map(({ type }) => text(type)),
    ['inuse_objects', 'inuse_space']
  )
  assert.ok(samples.some(({ frames }) => frames.some(({ name }) => name === 'keepAlive')))
  assert.equal(kept.length, 200_000)
})

function keepAlive(): object[] {
  return Array.from({ length: 200_000 }, (_, id) => ({ id, name: `kept ${id}` }))
}
