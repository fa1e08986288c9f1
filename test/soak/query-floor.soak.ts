/**
 * What a hundred thousand queries leave behind on the heap of a healthy service: next to nothing. SOAK_QUERIES sets how
 * many (100,000), of which the first fifth only fills what is bounded.
 */
import assert from 'node:assert/strict'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { ASK_HEAP_FLOOR } from '../../bench/heap-floor-meter.ts'
import { sendUnpaced } from '../../bench/paced-load.ts'
import { type ServiceProcess, startServiceProcess } from '../../bench/service-process.ts'
import { ROOT_DIR } from '../../src/cli/service.ts'
import { estimateGrowthRate, type TimedBytes } from '../../src/evidence/growth-rate.ts'

const QUERIES = Number(process.env.SOAK_QUERIES ?? 100_000)
const WARM_UP_SHARE = 0.2
const POINTS = 40
const CONNECTIONS = 4
const MAX_BYTES_PER_QUERY = 10
/** The estimate is per hour of its time axis, which counts queries here, as if each took a millisecond. */
const QUERIES_PER_HOUR = 3_600_000

let service: ServiceProcess

before(async () => {
  service = await startServiceProcess({}, [path.join(ROOT_DIR, 'bench/heap-floor-meter.ts')])
})

after(() => service.stop())

async function send(requests: number): Promise<void> {
  const { failed } = await sendUnpaced(service.url, { connections: CONNECTIONS, requests })
  assert.equal(failed, 0)
}

test(`${QUERIES} queries leave at most ${MAX_BYTES_PER_QUERY} bytes each`, async (t) => {
  await send(WARM_UP_SHARE * QUERIES)
  const perPoint = Math.round(((1 - WARM_UP_SHARE) * QUERIES) / POINTS)
  const points: TimedBytes[] = []
  for (let point = 0; point < POINTS; point++) {
    await send(perPoint)
    const { floorBytes } = await service.ask<{ floorBytes: number }>(ASK_HEAP_FLOOR)
    points.push({ atMs: (point + 1) * perPoint, bytes: floorBytes })
  }
  const { estimate, low, high } = estimateGrowthRate(points)
  const perQuery = (bytes: number | null) => (bytes ?? Number.NaN) / QUERIES_PER_HOUR
  t.diagnostic(
    `${perQuery(estimate).toFixed(1)} bytes a query (95 %: ${perQuery(low).toFixed(1)} to ${perQuery(high).toFixed(1)}); ` +
      `floor ${points.map(({ bytes }) => (bytes / 2 ** 20).toFixed(1)).join(' ')} MB`
  )
  assert.ok(perQuery(high) <= MAX_BYTES_PER_QUERY)
})
