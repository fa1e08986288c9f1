/** SIGTERM under load, with backends that are there and with such that are not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type BackendName, startBothBackends } from '../fixtures/backends/both-backends.ts'
import type { Mood } from '../fixtures/backends/moody-server.ts'
import { until } from '../processes.ts'
import { startServer } from '../server-process.ts'
import { startClients } from './sigterm-trials.ts'

const LOAD_MS = 500
const MAX_SHUTDOWN_MS = 5000

const CASES: Record<BackendName, Mood>[] = [
  { otlp: 'well', datadog: 'well' },
  { otlp: 'refusing', datadog: 'well' },
  { otlp: 'hanging', datadog: 'well' },
  { otlp: 'well', datadog: 'refusing' },
  { otlp: 'well', datadog: 'hanging' },
  { otlp: 'hanging', datadog: 'hanging' }
]

for (const moods of CASES) {
  test(`SIGTERM under load, otlp ${moods.otlp}, datadog ${moods.datadog}`, async (t) => {
    const backends = await startBothBackends()
    t.after(backends.close)
    const { child, url } = await startServer({
      ...backends.settings,
      SAMPLING_RATE: '1',
      // The rate is to stay as it is, whatever all this costs.
      DD_PROFILING_MAX_TIME_USAGE_PCT: '100'
    })
    await backends.otlp.setMood(moods.otlp)
    await backends.datadog.setMood(moods.datadog)

    const { outcome, clients } = startClients(url)
    await until('the first answer', () => outcome.answered.length > 0)
    await delay(LOAD_MS)
    const startedAtMs = Date.now()
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
    const shutdownMs = Date.now() - startedAtMs
    await clients
    t.diagnostic(`${outcome.answered.length} answers, shutdown in ${shutdownMs} ms`)
    assert(shutdownMs < MAX_SHUTDOWN_MS, `${shutdownMs} ms`)
    assert.deepEqual(outcome.lost, [])
    for (const name of ['otlp', 'datadog'] as const) {
      if (moods[name] !== 'well') continue
      const arrived = new Set(backends[name].traceIds())
      assert.deepEqual(
        outcome.answered.filter((traceId) => !arrived.has(traceId)),
        [],
        name
      )
    }
  })
}
