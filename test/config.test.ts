import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inspect, parseEnv } from 'node:util'
import { ConfigError, parseConfig, settingsSchema } from '../src/config.ts'
import { FAULT_NAMES } from '../src/faults.ts'
import { warnOfUnknownNames } from '../src/setting-names.ts'

const root = join(import.meta.dirname, '..')
const exampleText = readFileSync(join(root, '.env.example'), 'utf8')

function faultsOf(env: Record<string, string>): string[] {
  try {
    parseConfig(env)
  } catch (error) {
    assert(error instanceof ConfigError)
    return error.faults
  }
  return []
}

test('.env.example lists exactly the settings, with the defaults that apply without it', () => {
  const example = parseEnv(exampleText)
  assert.deepEqual(Object.keys(example).toSorted(), Object.keys(settingsSchema.shape).toSorted())
  assert.deepEqual(parseConfig(example), parseConfig({}))
})

test('the defaults are safe', () => {
  const { config, warnings } = parseConfig({})
  assert.deepEqual(warnings, [])
  assert.equal(config.samplingRate, 0.1)
  assert.equal(config.highTrafficSamplingRate, 0.01)
  assert.equal(config.profilingMaxTimeUsagePct, 5)
  assert.equal(config.host, '127.0.0.1')
  assert.equal(config.otlpEndpoint, undefined)
  assert.equal(config.datadogAgentUrl, undefined)
  assert.equal(config.captureContent, false)
})

test('every fault is listed in one message', () => {
  assert.deepEqual(
    faultsOf({
      PORT: '80000',
      HOST: '',
      LOG_LEVEL: 'loud',
      TRACING_ENABLED: 'maybe',
      SAMPLING_RATE: '10%',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318',
      FAULTS: 'quadratic-chunk-filter,typo',
      MODEL_PRICES: 'gpt-4=cheap',
      SLOW_REQUEST_MS: '1.5'
    }),
    [
      'PORT: must be a whole number from 0 to 65535, not "80000"',
      'LOG_LEVEL: must be one of trace, debug, info, warn, error, fatal, silent, not "loud"',
      'TRACING_ENABLED: must be true or false, not "maybe"',
      'SAMPLING_RATE: must be a number from 0 to 1, not "10%"',
      'OTEL_EXPORTER_OTLP_ENDPOINT: must be an address that begins with http:// or https://',
      `FAULTS: must be all, none or names out of ${FAULT_NAMES.join(', ')}, not "typo"`,
      'MODEL_PRICES: must be model=prompt/completion in USD per million tokens, not "gpt-4=cheap"',
      'SLOW_REQUEST_MS: must be a whole number from 0 to 3600000, not "1.5"'
    ]
  )
})

test('numbers at and past their limits', () => {
  for (const rate of ['0', '1', '0.5', '1e-3']) assert.deepEqual(faultsOf({ SAMPLING_RATE: rate }), [])
  for (const rate of ['-0.1', '1.0001', 'NaN', 'Infinity', '0,1', '0x1g']) {
    assert.equal(faultsOf({ SAMPLING_RATE: rate }).length, 1, rate)
  }
  for (const port of ['0', '65535']) assert.deepEqual(faultsOf({ PORT: port }), [])
  for (const port of ['-1', '65536', '80.5', 'http']) assert.equal(faultsOf({ PORT: port }).length, 1, port)
})

test('an alias sets its setting; aliases agree or are a fault', () => {
  assert.equal(parseConfig({ DD_TRACE_SAMPLE_RATE: '0.5' }).config.samplingRate, 0.5)
  assert.equal(parseConfig({ OTEL_TRACES_SAMPLER_ARG: '0' }).config.samplingRate, 0)
  assert.equal(parseConfig({ DD_SERVICE: 'copilot' }).config.serviceName, 'copilot')
  assert.equal(parseConfig({ SAMPLING_RATE: '0.10', DD_TRACE_SAMPLE_RATE: '0.1' }).config.samplingRate, 0.1)
  assert.deepEqual(
    faultsOf({ SAMPLING_RATE: '0', DD_TRACE_SAMPLE_RATE: '0.2', OTEL_SERVICE_NAME: 'a', DD_SERVICE: 'b' }),
    [
      'OTEL_SERVICE_NAME=a and DD_SERVICE=b mean the same setting: keep one',
      'SAMPLING_RATE=0 and DD_TRACE_SAMPLE_RATE=0.2 mean the same setting: keep one'
    ]
  )
  assert.deepEqual(faultsOf({ DD_TRACE_AGENT_URL: 'http://a:8126', DD_AGENT_HOST: 'b' }), [
    'DD_TRACE_AGENT_URL=http://a:8126 and DD_AGENT_HOST=b name different agents: keep one'
  ])
})

test("an agent with Datadog's own switch turned off is a fault, the switch alone is not", () => {
  const agent = { DD_TRACE_AGENT_URL: 'http://localhost:8126' }
  assert.match(
    faultsOf({ ...agent, DD_TRACE_ENABLED: 'false' }).join(),
    /^DD_TRACE_ENABLED: .*TRACING_ENABLED=false$/
  )
  assert.deepEqual(faultsOf({ ...agent, DD_TRACE_ENABLED: 'true' }), [])
  assert.deepEqual(faultsOf({ DD_TRACE_ENABLED: 'false' }), [])
})

test('a Datadog agent is named by its address or by its host, and turns its profiler on', () => {
  const { config } = parseConfig({ DD_AGENT_HOST: 'agent' })
  assert.equal(config.datadogAgentUrl, 'http://agent:8126')
  assert.equal(config.datadogProfilingEnabled, true)
  assert.equal(parseConfig({}).config.datadogProfilingEnabled, false)
  assert.equal(
    parseConfig({ DD_AGENT_HOST: 'agent', DD_PROFILING_ENABLED: 'false' }).config.datadogProfilingEnabled,
    false
  )
})

test("the Python practical's settings without a meaning here warn, and so does what stays unused", () => {
  const { warnings } = parseConfig({
    DD_PROFILING_CAPTURE_PCT: '1',
    DD_PROFILING_MEMORY_ENABLED: 'true',
    DD_TRACE_DEBUG: 'true',
    JAEGER_AGENT_HOST: 'localhost',
    DD_API_KEY: 'not-a-real-key',
    OPENAI_API_KEY: 'not-a-real-key',
    HOST: '0.0.0.0'
  })
  assert.deepEqual(
    warnings.map((warning) => warning.split(/[ =]/)[0]),
    [
      'DD_PROFILING_CAPTURE_PCT',
      'DD_PROFILING_MEMORY_ENABLED',
      'DD_TRACE_DEBUG',
      'JAEGER_AGENT_HOST',
      'DD_API_KEY',
      'OPENAI_API_KEY',
      'HOST'
    ]
  )
  assert(!warnings.some((warning) => warning.includes('not-a-real-key')))
})

test('guarded routes are open on a loopback host only, unless they are opened', () => {
  const isOpen = (env: Record<string, string>) => parseConfig(env).config.guardedRoutesOpen
  for (const host of ['127.0.0.1', 'localhost', '::1', '127.1.2.3'])
    assert.equal(isOpen({ HOST: host }), true, host)
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com']) {
    assert.equal(isOpen({ HOST: host }), false, host)
  }
  assert.equal(isOpen({ HOST: '0.0.0.0', GUARDED_ROUTES: 'open' }), true)
})

test('no printout shows a secret', () => {
  const { config } = parseConfig({
    DATABASE_URL: 'postgresql://user:hunter2@db/app',
    OPENAI_API_KEY: 'hunter2',
    DD_API_KEY: 'hunter2',
    ADMIN_TOKEN: 'hunter2'
  })
  for (const printed of [JSON.stringify(config), inspect(config, { depth: 9 }), `${config.adminToken}`]) {
    assert(!printed.includes('hunter2'), printed)
  }
  assert.equal(config.databaseUrl?.reveal(), 'postgresql://user:hunter2@db/app')
  assert(!faultsOf({ DATABASE_URL: 'mysql://user:hunter2@db/app' }).join().includes('hunter2'))
})

test('a name in .env that nobody reads warns, with the name that was meant', () => {
  const known = ['SAMPLING_RATE', 'PORT', 'DD_SERVICE']
  assert.deepEqual(
    warnOfUnknownNames(['PORT', 'OTEL_EXPORTER_OTLP_HEADERS', 'SAMPLING_RAT', 'DD_SERVCIE', 'COLOUR'], known),
    [
      '.env: SAMPLING_RAT is no setting of this service; did you mean SAMPLING_RATE?',
      '.env: DD_SERVCIE is no setting of this service; did you mean DD_SERVICE?',
      '.env: COLOUR is no setting of this service'
    ]
  )
})

/** Runs only what is preloaded, in a directory with the given .env. */
function preload(dotEnv: string, env: Record<string, string> = {}) {
  const cwd = mkdtempSync(join(tmpdir(), 'settings-'))
  writeFileSync(join(cwd, '.env'), dotEnv)
  const start = join(root, 'src/telemetry/start.ts')
  const print = `import('${start}').then(({ config }) => console.log(JSON.stringify(config)))`
  return spawnSync(process.execPath, ['--import', start, '-e', print], { cwd, env, encoding: 'utf8' })
}

test('.env is read, the environment wins, and a typo is said', () => {
  const { status, stdout } = preload('PORT=1234\nHOST=localhost\nSAMPLING_RAT=1\n', { PORT: '4321' })
  assert.equal(status, 0)
  const [warning, config] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.match(warning.msg, /SAMPLING_RAT .* did you mean SAMPLING_RATE/)
  assert.deepEqual([config.port, config.host, config.samplingRate], [4321, 'localhost', 0.1])
})

test('a faulty .env stops the start with every fault and no stack trace', () => {
  const { status, stdout, stderr } = preload('PORT=http\nSAMPLING_RATE=2\n')
  assert.equal(status, 1)
  assert.equal(stdout, '')
  assert.equal(
    stderr,
    'The settings have 2 faults:\n' +
      '  PORT: must be a whole number from 0 to 65535, not "http"\n' +
      '  SAMPLING_RATE: must be a number from 0 to 1, not "2"\n' +
      'See .env.example for every setting.\n'
  )
})
