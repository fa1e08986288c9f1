/** One backend after the other goes wrong in every way, while the whole service goes on and the other one gets all. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startBothBackends } from '../fixtures/backends/both-backends.ts'
import type { Mood } from '../fixtures/backends/moody-server.ts'
import { type StartedServer, startServer } from '../server-process.ts'
import { type LogLine, sendJson, until } from '../service.ts'

const MOODS: Mood[] = ['refusing', 'unavailable', 'hanging', 'slow']
/** 8 spans each: more than the queue of a backend that answers nothing can take. */
const QUERIES = 300
const CLIENTS = 4
const OTLP_QUEUE_SPANS = 2048
/** The OTLP exporter gives up after 10 s, dd-trace sends a second time after 7.5 s. */
const SETTLE_MS = 40_000
const MAX_GROWTH_MB = 15
/** The same fault is logged once in 30 s. */
const MAX_WARNINGS = 30

/** Datadog's test agent takes no metrics: this is where they are looked at. Further gauges depend on the platform. */
const GAUGES = [
  'memory.current_mb',
  'memory.growth_mb',
  'requests.last_hour',
  'sampling.effective_rate',
  'runtime.node.mem.heap_used',
  'runtime.node.event_loop.delay.avg'
]
const UNIFIED_TAGS = ['service:backends-test', 'env:testing', 'version:1.2.3']

/** Collects the garbage on SIGUSR2 and says how much is left. */
const REPORT_MEMORY = `data:text/javascript,process.on('SIGUSR2',()=>{gc();const{heapUsed,external}=process.memoryUsage();process.stderr.write('left='+(heapUsed+external)+';')})`

interface BackendReport {
  name: 'otlp' | 'datadog'
  started: number
  exported: number
  dropped: number
  pending: number
  last_error: { message: string; at: string } | null
}

async function startWithBackends() {
  const backends = await startBothBackends()
  const server = await startServer(
    {
      ...backends.settings,
      SAMPLING_RATE: '1',
      // The rate is to stay as it is, whatever all this costs.
      DD_PROFILING_MAX_TIME_USAGE_PCT: '100',
      DD_SERVICE: 'backends-test',
      DD_ENV: 'testing',
      DD_VERSION: '1.2.3',
      LOG_LEVEL: 'warn'
    },
    ['--expose-gc', '--import', REPORT_MEMORY]
  )
  return { server, backends }
}

/** @returns the trace ids of the answers; each has to be a good one */
async function askMany({ url }: StartedServer, count: number): Promise<string[]> {
  const traceIds: string[] = []
  let asked = 0
  async function askInTurn(): Promise<void> {
    while (asked < count) {
      asked += 1
      const { status, body } = await sendJson(`${url}/query`, 'POST', { query: 'How long are logs kept?' })
      assert.deepEqual([status, body.sampled], [200, true])
      traceIds.push(body.trace_id)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, askInTurn))
  return traceIds
}

async function reportOf({ url }: StartedServer, name: string): Promise<BackendReport> {
  const response = await fetch(`${url}/apm/metrics`, { headers: { 'x-untraced': '1' } })
  const { backends } = (await response.json()) as { backends: BackendReport[] }
  const report = backends.find((backend) => backend.name === name)
  assert(report)
  return report
}

async function untilReport(
  server: StartedServer,
  name: string,
  isTrue: (report: BackendReport) => boolean
): Promise<BackendReport> {
  const deadlineMs = Date.now() + SETTLE_MS
  while (true) {
    const report = await reportOf(server, name)
    if (isTrue(report)) return report
    if (Date.now() > deadlineMs) throw new Error(`${name}: ${JSON.stringify(report)} is not ${isTrue}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function readMemoryMb({ child, output }: StartedServer): Promise<number> {
  const reports = () => [...output().stderr.matchAll(/left=(\d+);/g)]
  const count = reports().length
  child.kill('SIGUSR2')
  await until(() => reports().length > count)
  return Number(reports().at(-1)?.[1]) / 2 ** 20
}

/**
 * One collection leaves what is under way just then, such as a profile that is being sent; what is kept stays.
 * @returns the last reading: below the limit, or the one for which there was no more time
 */
async function untilGrownLittle(server: StartedServer, sinceMb: number): Promise<number> {
  const deadlineMs = Date.now() + SETTLE_MS
  while (true) {
    const growthMb = (await readMemoryMb(server)) - sinceMb
    if (growthMb < MAX_GROWTH_MB || Date.now() > deadlineMs) return growthMb
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

function warningsAbout({ output }: StartedServer, name: string): LogLine[] {
  const lines = output().stdout.trim().split('\n').filter(Boolean)
  return lines
    .map((line): LogLine => JSON.parse(line))
    .filter(({ msg }) => msg.startsWith(`telemetry: ${name}: `))
}

/** @param lines of the DogStatsD format */
function assertGauges(lines: string[]): void {
  for (const name of GAUGES) {
    const line = lines.find((each) => each.startsWith(`${name}:`)) ?? ''
    assert.match(line, /^[\w.]+:[\d.]+\|g\|#/, name)
    for (const tag of UNIFIED_TAGS) assert(line.includes(tag), line)
  }
}

describe('a backend goes wrong', { concurrency: true }, () => {
  for (const bad of ['otlp', 'datadog'] as const) {
    const good = bad === 'otlp' ? 'datadog' : 'otlp'

    test(`${bad} ${MOODS.join(', ')}: nothing else suffers, and it comes back`, async (t) => {
      const { server, backends } = await startWithBackends()
      t.after(backends.close)
      const answered = await askMany(server, QUERIES)
      const memoryMb = await readMemoryMb(server)

      for (const mood of MOODS) {
        const before = await untilReport(server, bad, ({ pending }) => pending === 0)
        await backends[bad].setMood(mood)
        answered.push(...(await askMany(server, QUERIES)))
        // A slow one loses something only when more comes than it takes.
        const lossy = await untilReport(
          server,
          bad,
          ({ dropped }) => mood === 'slow' || dropped > before.dropped
        )
        assert(mood === 'slow' || lossy.last_error, mood)
        if (bad === 'otlp') assert(lossy.pending <= OTLP_QUEUE_SPANS, `${mood}: ${lossy.pending} pending`)

        await backends[bad].setMood('well')
        await untilReport(server, bad, ({ pending }) => pending === 0)
        const later = await askMany(server, CLIENTS)
        await untilReport(server, bad, ({ exported, pending }) => pending === 0 && exported > before.exported)
        const arrived = new Set(backends[bad].traceIds())
        assert.deepEqual(
          later.filter((traceId) => !arrived.has(traceId)),
          [],
          mood
        )
        answered.push(...later)
        const growthMb = await untilGrownLittle(server, memoryMb)
        t.diagnostic(`${mood}: ${JSON.stringify(lossy)}, memory ${growthMb.toFixed(1)} MB`)
        assert(growthMb < MAX_GROWTH_MB, `${mood}: ${growthMb} MB more`)
      }

      const untouched = await untilReport(server, good, ({ pending }) => pending === 0)
      assert.deepEqual([untouched.dropped, untouched.last_error], [0, null])
      assert.deepEqual(backends[good].traceIds().toSorted(), answered.toSorted())

      const { started, exported, dropped } = await reportOf(server, bad)
      t.diagnostic(`${bad}: ${started} spans started, ${exported} exported, ${dropped} dropped`)
      const warnings = warningsAbout(server, bad)
      assert(warnings.length > 0 && warnings.length <= MAX_WARNINGS, `${warnings.length} warnings`)
      assert.deepEqual(warningsAbout(server, good), [])
      assertGauges(backends.datadog.metrics)
    })
  }
})
