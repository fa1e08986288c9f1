import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { parseConfig } from '../../src/config.ts'
import { startTelemetry } from '../../src/telemetry/telemetry.ts'

test('the shutdown does not wait for a backend that hangs', async () => {
  const unanswered: ServerResponse[] = []
  const hanging = createServer((_request, response) => void unanswered.push(response))
  hanging.listen(0, '127.0.0.1')
  await once(hanging, 'listening')
  const { port } = hanging.address() as AddressInfo
  const { config } = parseConfig({
    SAMPLING_RATE: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`
  })
  const telemetry = startTelemetry(config)
  trace.getTracer('test').startSpan('unsent').end()

  await telemetry.shutdown()

  const [backend] = telemetry.backends
  assert.deepEqual([unanswered.length, backend?.counts.pending, backend?.counts.exported], [1, 1, 0])
  for (const response of unanswered) response.end('{}')
  hanging.close()
})
