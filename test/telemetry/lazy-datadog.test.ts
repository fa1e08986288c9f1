/** What a process loads at its start, which is what most of the start takes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'

const ROOT = path.resolve(import.meta.dirname, '../..')
const LIST_MODULES = 'console.log(JSON.stringify(Object.keys(require.cache))); process.exit()'

function modulesLoadedWith(env: Record<string, string>): string[] {
  const output = execFileSync(
    process.execPath,
    ['--import', './src/telemetry/start.ts', '--eval', LIST_MODULES],
    { cwd: ROOT, env: { ...process.env, LOG_LEVEL: 'silent', ...env }, encoding: 'utf8' }
  )
  return JSON.parse(output)
}

function isOfDatadogsTracer(file: string): boolean {
  return file.includes(`${path.sep}dd-trace${path.sep}`)
}

test('without an agent nothing of dd-trace is loaded', () => {
  assert.equal(
    modulesLoadedWith({ DD_TRACE_AGENT_URL: '', DD_AGENT_HOST: '' }).filter(isOfDatadogsTracer).length,
    0
  )
})

test('with tracing off an agent changes nothing', () => {
  const env = { DD_TRACE_AGENT_URL: 'http://127.0.0.1:9', TRACING_ENABLED: 'false' }
  assert.equal(modulesLoadedWith(env).filter(isOfDatadogsTracer).length, 0)
})

test('with one it is, on one copy of the native profiler', () => {
  const modules = modulesLoadedWith({ DD_TRACE_AGENT_URL: 'http://127.0.0.1:9' })
  assert.ok(modules.some(isOfDatadogsTracer))
  const profilers = modules.filter((file) => /@datadog.pprof.out.src.time-profiler\.js$/.test(file))
  assert.equal(profilers.length, 1)
})
