/** `npm run load` as a user runs it: a process of its own against a real service. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { createModelClient } from '../../src/model/client.ts'
import { exporter, isLocalRoot, startService, until } from '../service.ts'

const COMMAND = path.resolve(import.meta.dirname, '../../src/cli/load.ts')

// At a rate of 0 only what is forced is sampled.
const service = await startService({ FAULTS: 'none', SAMPLING_RATE: '0' })
after(service.close)

function startLoad(args: string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args], {
    // A port nobody listens on: whatever runs on 8000 is not what this test is about.
    env: { ...process.env, PORT: '1' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { child, ended: ended.then(([stdout, stderr]) => ({ code: child.exitCode, stdout, stderr })) }
}

function load(...args: string[]) {
  return startLoad(args).ended
}

function sampledQueries() {
  return exporter.getFinishedSpans().filter((span) => isLocalRoot(span) && span.name === 'POST /query')
}

test('sends the sample queries at the rate for the time, and every trace is sampled', async () => {
  exporter.reset()
  const run = await load('--url', service.url, '--rate', '10', '--seconds', '2', '--json')
  assert.equal(run.code, 0, run.stderr)
  const summary = JSON.parse(run.stdout)
  assert.ok(summary.queries > 10 && summary.queries <= 20, run.stdout)
  assert.equal(summary.answers, summary.queries)
  assert.equal(summary.errors, 0)
  assert.deepEqual(summary.errors_by_status, {})
  assert.ok(summary.p50_ms > 0 && summary.p50_ms <= summary.p95_ms, run.stdout)
  const traces = sampledQueries()
  assert.equal(traces.length, summary.queries)
  assert.ok(traces.some((span) => span.spanContext().traceId === summary.slowest_trace_id))
  assert.ok(new Set(traces.map((span) => span.attributes['query.length'])).size > 5)
})

test('ends with one step that works: the slowest trace, here or in Jaeger', async (t) => {
  const here = await load('--url', service.url, '--seconds', '1')
  assert.equal(here.code, 0, here.stderr)
  assert.match(here.stdout, /^1 queries in .+\n {2}answers {2}1\n {2}errors {3}0\n/)
  const address = /^Next: .*curl -s (\S+)$/m.exec(here.stdout)?.[1] ?? ''
  assert.equal((await fetch(address)).status, 200, here.stdout)

  const jaeger = 'http://jaeger.example:16686'
  const { app, url } = await service.listen({ otlpEndpoint: 'http://127.0.0.1:1', jaegerUiUrl: jaeger })
  t.after(() => app.close())
  const there = await load('--url', url, '--seconds', '1')
  assert.match(there.stdout, /^Next: .*http:\/\/jaeger\.example:16686\/trace\/[0-9a-f]{32}$/m)
})

test('counts errors by status, and exits with 2 when no query was answered', async (t) => {
  const unreachable = createModelClient({ baseUrl: 'http://127.0.0.1:1/v1', model: 'gpt-4', timeoutMs: 5000 })
  const { app, url } = await service.listen({}, unreachable)
  t.after(() => app.close())
  const run = await load('--url', url, '--rate', '2', '--seconds', '1')
  assert.equal(run.code, 2, run.stderr)
  assert.match(run.stdout, /^ {2}errors {3}2 \(2 × status 503\)$/m)
  assert.match(run.stdout, /^Next: look for the cause in the service's log$/m)
})

test('Ctrl-C ends it early with the summary of what has come by then', async () => {
  exporter.reset()
  const { child, ended } = startLoad(['--url', service.url, '--rate', '0.5', '--seconds', '600', '--json'])
  await until(() => sampledQueries().length > 0)
  child.kill('SIGINT')
  const run = await ended
  assert.equal(run.code, 0, run.stderr)
  assert.ok(JSON.parse(run.stdout).answers >= 1)
})

const mistakes: [what: string, args: string[], message: RegExp][] = [
  ['a rate of 0', ['--rate', '0'], /--rate takes a number from 0\.1 to 100/],
  ['a rate that is text', ['--rate', 'fast'], /--rate takes a number from 0\.1 to 100/],
  ['too many seconds', ['--seconds', '601'], /--seconds takes a number from 1 to 600/],
  ['no seconds', ['--seconds', ''], /--seconds takes a number from 1 to 600/],
  ['an unknown option', ['--fast'], /Unknown option '--fast'/],
  ['an option without its value', ['--rate'], /'--rate <value>' argument missing/],
  ['a url that is none', ['--url', 'nonsense'], /--url takes an address/],
  ['a url of another protocol', ['--url', 'localhost:8000'], /--url takes an address/],
  [
    'a url nobody answers at',
    ['--url', 'http://127.0.0.1:1'],
    /No service answers at http:\/\/127\.0\.0\.1:1:/
  ],
  ['no service on PORT', [], /No service answers at http:\/\/127\.0\.0\.1:1: start one with `npm start`/]
]
for (const [what, args, message] of mistakes) {
  test(`says what to change for ${what}, and exits with 2`, async () => {
    const run = await load(...args)
    assert.equal(run.code, 2, run.stdout)
    assert.match(run.stderr, message)
    assert.equal(run.stdout, '')
  })
}

test('--help prints the usage and exits with 0', async () => {
  const run = await load('--help')
  assert.deepEqual([run.code, run.stderr], [0, ''])
  assert.match(run.stdout, /^Usage: npm run load/)
})
