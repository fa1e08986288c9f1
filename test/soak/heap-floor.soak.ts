/**
 * The floor of the live service's heap: a leak of 100 MB an hour raises the alert within three minutes, half an hour of
 * healthy load none. SOAK_HEALTHY_MINUTES sets how long (30).
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { findOrStartService, type RunningService } from '../../src/cli/service.ts'

const HEALTHY_MINUTES = Number(process.env.SOAK_HEALTHY_MINUTES ?? 30)
const LEAK_MB_PER_HOUR = 100
/** What a query of 50 documents leaves in the cache that has no limit: measured by the leak check. */
const LEAK_MB_PER_QUERY = 65_000 / 2 ** 20
const MAX_DETECTION_S = 180
const HEALTHY_QUERIES_PER_S = 1
const POLL_MS = 5_000

let service: RunningService

before(async () => {
  process.env.SIMULATED_LATENCY_SCALE = '0'
  process.env.FAULTS = 'none'
  service = await findOrStartService({
    url: undefined,
    defaultUrl: 'http://127.0.0.1:1',
    onProgress: () => {}
  })
})

after(() => service.stop())

async function call(method: string, route: string, body?: object): Promise<unknown> {
  const response = await fetch(new URL(route, service.url), {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  })
  assert.ok(response.ok, `${method} ${route}: ${response.status}`)
  return response.json()
}

/** Queries that are all different, until the returned function is called. It rejects where one was not answered. */
function sendQueries(perSecond: number): () => Promise<unknown> {
  const answers: Promise<unknown>[] = []
  const timer = setInterval(function sendQuery() {
    const query = `What documentation is needed for a GDPR audit? ${Date.now()}`
    answers.push(call('POST', '/query', { query }))
  }, 1000 / perSecond)
  return function stop() {
    clearInterval(timer)
    return Promise.all(answers)
  }
}

/** @returns the seconds until there is an alert, or undefined where none came in `seconds` */
async function waitForAlert(seconds: number): Promise<{ afterS: number; alert: string } | undefined> {
  const startMs = Date.now()
  while (Date.now() - startMs < seconds * 1000) {
    await delay(POLL_MS)
    const { memory_stats } = (await call('GET', '/memory/stats')) as { memory_stats: { alerts: string[] } }
    const [alert] = memory_stats.alerts
    if (alert !== undefined) return { afterS: (Date.now() - startMs) / 1000, alert }
  }
  return undefined
}

test(`${HEALTHY_MINUTES} minutes of healthy load raise no alert`, async () => {
  const stop = sendQueries(HEALTHY_QUERIES_PER_S)
  assert.equal(await waitForAlert(HEALTHY_MINUTES * 60), undefined)
  await stop()
})

test(`after them ${LEAK_MB_PER_HOUR} MB an hour raise it within ${MAX_DETECTION_S} s`, async (t) => {
  await call('PUT', '/faults/unbounded-document-cache', { enabled: true })
  const stop = sendQueries(LEAK_MB_PER_HOUR / LEAK_MB_PER_QUERY / 3600)
  const found = await waitForAlert(MAX_DETECTION_S)
  t.diagnostic(`after ${found?.afterS} s: ${found?.alert}`)
  assert.match(found?.alert ?? 'no alert', /the heap grows by at least/)
  await stop()
})
