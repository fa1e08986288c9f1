import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../src/config.ts'
import { createServerSpanHook } from '../../src/telemetry/request-spans.ts'
import { startTelemetry } from '../../src/telemetry/telemetry.ts'

test('past the hourly limit the rate is lowered; health checks do not count', async (t) => {
  const { config } = parseConfig({
    SAMPLING_RATE: '0.5',
    HIGH_TRAFFIC_REQUESTS_PER_HOUR: '3',
    HIGH_TRAFFIC_SAMPLING_RATE: '0.02'
  })
  const telemetry = startTelemetry(config)
  const { fastify } = await import('fastify')
  const app = fastify()
  assert(telemetry.countRequest)
  app.addHook('onRequest', createServerSpanHook(telemetry.countRequest))
  t.after(() => Promise.all([app.close(), telemetry.shutdown()]))
  for (const path of ['/query', '/health']) app.get(path, async () => ({}))
  const url = await app.listen({ port: 0, host: '127.0.0.1' })

  const ratesAfter: (number | undefined)[] = []
  for (let i = 0; i < 5; i++) {
    await (await fetch(`${url}/query`)).text()
    await (await fetch(`${url}/health`)).text()
    ratesAfter.push(telemetry.sampler?.rate)
  }
  assert.deepEqual(ratesAfter, [0.5, 0.5, 0.5, 0.02, 0.02])
  assert.equal(telemetry.requestCount.lastHour(Date.now()), 5)
})
