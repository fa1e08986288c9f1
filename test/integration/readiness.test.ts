/**
 * `npm run readiness` against a service that sends to a real Jaeger and to Datadog's test agent. Their addresses are
 * JAEGER_QUERY_URL, OTEL_EXPORTER_OTLP_ENDPOINT and DD_TEST_AGENT_URL.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const { JAEGER_QUERY_URL = '', OTEL_EXPORTER_OTLP_ENDPOINT = '', DD_TEST_AGENT_URL = '' } = process.env
assert.ok(JAEGER_QUERY_URL && OTEL_EXPORTER_OTLP_ENDPOINT, 'set them to the addresses of a Jaeger')
assert.ok(DD_TEST_AGENT_URL, "set DD_TEST_AGENT_URL to the address of Datadog's test agent")

const COMMAND = path.resolve(import.meta.dirname, '../../src/cli/readiness.ts')
const TRACES = 12

async function readiness(url: string, args: string[]) {
  const child = spawn(process.execPath, [COMMAND, '--url', url, '--json', ...args], {
    env: { PATH: process.env.PATH, JAEGER_QUERY_URL },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [stdout] = await Promise.all([text(child.stdout), once(child, 'close')])
  const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; detail: string }[] }
  return { exitCode: child.exitCode, checks }
}

test('with both backends every check passes, but for the API key, which cannot be asked without one', async (t) => {
  const { child, url } = await startServer({
    OTEL_EXPORTER_OTLP_ENDPOINT,
    DD_TRACE_AGENT_URL: DD_TEST_AGENT_URL,
    DD_SERVICE: `readiness-${process.pid}`,
    // Read by dd-trace: the first profile goes out after 5 s instead of 65 s.
    DD_PROFILING_UPLOAD_PERIOD: '5'
  })
  t.after(() => child.kill())
  for (let i = 0; i < TRACES; i++) {
    await sendJson(`${url}/query`, 'POST', { query: 'How long are logs kept?' }, { 'x-force-sample': '1' })
  }
  // A first run waits until its own query's spans have arrived; by then a profile has as well.
  await readiness(url, [])
  const { exitCode, checks } = await readiness(url, [])
  const notPassed = checks.filter(({ status }) => status !== 'pass')
  assert.deepEqual(
    notPassed.map(({ name, status }) => [name, status]),
    [['the Datadog API key is valid', 'skipped']]
  )
  assert.equal(exitCode, 0)
  assert.equal((await readiness(url, ['--strict'])).exitCode, 1)

  child.kill('SIGTERM')
  await once(child, 'exit')
  const gone = spawn(process.execPath, [COMMAND, '--url', url], { stdio: 'ignore' })
  assert.deepEqual(await once(gone, 'exit'), [2, null])
})
