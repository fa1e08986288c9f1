/** `npm run readiness` as a user runs it: a process of its own against a real service. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { startService } from '../service.ts'

const COMMAND = path.resolve(import.meta.dirname, '../../src/cli/readiness.ts')

const service = await startService({ FAULTS: 'none', SAMPLING_RATE: '0.1' })
after(service.close)

async function readiness(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    // A port nobody listens on: whatever runs on 8000 is not what this test is about.
    env: { PATH: process.env.PATH, PORT: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code: child.exitCode, stdout, stderr }
}

interface Result {
  name: string
  status: string
  detail: string
  mend?: string
}

async function resultsOf(args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await readiness([...args, '--json'], env)
  assert.equal(stderr, '')
  const report = JSON.parse(stdout)
  const find = (name: string): Result | undefined =>
    report.checks.find((check: Result) => check.name.includes(name))
  return { code, report, find }
}

/** A Jaeger with `count` copies of a trace whose model span has `attributes`. */
async function startJaeger(t: { after(fn: () => void): void }, count: number, attributes: string[]) {
  const traces = Array.from({ length: count }, () => ({
    spans: [
      { operationName: 'POST /query', references: [], tags: [] },
      {
        operationName: 'openai.generate',
        references: [{ refType: 'CHILD_OF' }],
        tags: attributes.map((key) => ({ key, value: 1 }))
      }
    ]
  }))
  const server = createServer((_request, response) => void response.end(JSON.stringify({ data: traces })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('what is not set up is skipped with its reason, and the rest passes', async () => {
  const { code, report, find } = await resultsOf(['--url', service.url])
  assert.equal(code, 0)
  assert.equal(report.failed, 0)
  assert.equal(report.passed + report.skipped, report.checks.length)
  for (const name of [
    'tracing',
    '0.10',
    'attributes of the model span',
    'OpenTelemetry',
    'cost',
    'Prometheus metrics move',
    'feedback can be recorded',
    'Datadog package'
  ]) {
    assert.equal(find(name)?.status, 'pass', name)
  }
  assert.match(find("Jaeger's page")?.detail ?? '', /OTEL_EXPORTER_OTLP_ENDPOINT is not set/)
  assert.match(find('agent answers')?.detail ?? '', /DD_TRACE_AGENT_URL is not set/)
})

test('with --strict what is skipped fails', async () => {
  const { code } = await readiness(['--url', service.url, '--strict'])
  assert.equal(code, 1)
})

test('a failure says how to mend it', async (t) => {
  const { app, url } = await service.listen({ samplingRate: 1 })
  t.after(() => app.close())
  const { code, stdout } = await readiness(['--url', url])
  assert.equal(code, 1)
  assert.match(stdout, /^fail {5}sampling rate is 0\.10: 1\n {9}→ set SAMPLING_RATE=0\.1$/m)
})

test('a Jaeger is asked for its traces, and a dead one fails', async (t) => {
  const { app, url } = await service.listen({ otlpEndpoint: 'http://127.0.0.1:1' })
  t.after(() => app.close())
  const whole = await startJaeger(t, 10, ['llm.model', 'llm.prompt_tokens', 'llm.completion_tokens'])
  const good = await resultsOf(['--url', url], { JAEGER_QUERY_URL: whole })
  assert.deepEqual([good.code, good.find('Jaeger holds')?.detail], [0, '10'])

  const partial = await startJaeger(t, 9, ['llm.model'])
  const bad = await resultsOf(['--url', url], { JAEGER_QUERY_URL: partial })
  assert.deepEqual([bad.code, bad.find('Jaeger holds')?.mend], [1, 'send more: npm run load'])
  assert.equal(bad.find('model span in Jaeger')?.detail, 'missing: llm.prompt_tokens, llm.completion_tokens')

  const dead = await resultsOf(['--url', url], { JAEGER_QUERY_URL: 'http://127.0.0.1:1' })
  assert.equal(dead.code, 1)
  assert.match(dead.find("Jaeger's page")?.detail ?? '', /^http:\/\/127\.0\.0\.1:1 does not answer/)
})

test('an agent that is set but does not answer, or took nothing, fails', async (t) => {
  const { app, url } = await service.listen({ datadogAgentUrl: 'http://127.0.0.1:1' })
  t.after(() => app.close())
  const { code, find } = await resultsOf(['--url', url])
  assert.equal(code, 1)
  for (const name of ['agent answers', 'took spans', 'took profiles'])
    assert.equal(find(name)?.status, 'fail', name)
})

test('without a service, or with a wrong option, it could not run', async () => {
  const missing = await readiness([])
  assert.equal(missing.code, 2)
  assert.match(missing.stderr, /npm start/)
  const wrong = await readiness(['--fast'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /Usage: npm run readiness/)
})
