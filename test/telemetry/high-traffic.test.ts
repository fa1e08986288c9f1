import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { parseConfig } from '../../src/config.ts'
import { startTelemetry } from '../../src/telemetry/telemetry.ts'

test('past the hourly limit the rate is lowered, never raised', async () => {
  const { config } = parseConfig({
    SAMPLING_RATE: '0.5',
    HIGH_TRAFFIC_REQUESTS_PER_HOUR: '3',
    HIGH_TRAFFIC_SAMPLING_RATE: '0.02'
  })
  const telemetry = startTelemetry(config)
  const server = createServer((_request, response) => response.end())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ratesAfter: (number | undefined)[] = []
  for (let i = 0; i < 5; i++) {
    await (await fetch(`${url}/query`)).text()
    await (await fetch(`${url}/health`)).text()
    ratesAfter.push(telemetry.sampler?.rate)
  }
  assert.deepEqual(ratesAfter, [0.5, 0.5, 0.5, 0.02, 0.02])
  assert.equal(telemetry.requestCount.lastHour(Date.now()), 5, 'health checks do not count')
  server.closeAllConnections()
  server.close()
  await telemetry.shutdown()
})
