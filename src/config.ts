/**
 * The settings: one schema, the type inferred from it, and the only place that reads the environment.
 * `.env.example` lists the same names with the same defaults; a test holds the two together.
 */

import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseEnv } from 'node:util'
import { z } from 'zod'
import packageJson from '../package.json' with { type: 'json' }
import { FAULT_NAMES, type FaultName, isFaultName } from './faults.ts'
import { warnOfUnknownNames } from './setting-names.ts'
import {
  address,
  decimal,
  flag,
  list,
  oneOf,
  pairs,
  parsePrice,
  secret,
  webAddress,
  wholeNumber
} from './setting-values.ts'

/** Every fault of the settings at once; `message` lists them one a line, ready to print. */
export class ConfigError extends Error {
  readonly faults: string[]
  constructor(faults: string[]) {
    super(
      `The settings have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n  ${faults.join('\n  ')}`
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}

function toFaults(text: string, ctx: z.RefinementCtx): 'all' | 'none' | FaultName[] {
  if (text === 'all' || text === 'none') return text
  const names = text.split(',').map((name) => name.trim())
  for (const name of names.filter((each) => !isFaultName(each))) {
    ctx.addIssue(`must be all, none or names out of ${FAULT_NAMES.join(', ')}, not "${name}"`)
  }
  return names.filter(isFaultName)
}

/** Every setting with its default, both as they are written in the environment. */
export const settingsSchema = z.object({
  PORT: wholeNumber(0, 65_535).prefault('8000'),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent').default('info'),
  OTEL_SERVICE_NAME: z.string().default('compliance-copilot-rag'),
  DD_ENV: z.string().default('development'),
  DD_VERSION: z.string().default(packageJson.version),
  TRACING_ENABLED: flag().prefault('true'),
  SAMPLING_RATE: decimal(0, 1).prefault('0.1'),
  PROFILER_ENABLED: flag().prefault('true'),
  HIGH_TRAFFIC_REQUESTS_PER_HOUR: wholeNumber(1, 1e9).prefault('10000'),
  HIGH_TRAFFIC_SAMPLING_RATE: decimal(0, 1).prefault('0.01'),
  OTEL_EXPORTER_OTLP_ENDPOINT: webAddress().optional(),
  JAEGER_QUERY_URL: webAddress().prefault('http://localhost:16686'),
  JAEGER_UI_URL: webAddress().prefault('http://localhost:16686'),
  DD_TRACE_AGENT_URL: webAddress().optional(),
  DD_AGENT_HOST: z.string().optional(),
  DD_SITE: z.string().default('datadoghq.com'),
  DD_API_KEY: secret().optional(),
  DD_PROFILING_ENABLED: flag().optional(),
  DD_PROFILING_MAX_TIME_USAGE_PCT: decimal(0, 100).prefault('5'),
  DATABASE_URL: address('postgres:', 'postgresql:').pipe(secret()).optional(),
  OPENAI_BASE_URL: webAddress().optional(),
  OPENAI_API_KEY: secret().optional(),
  MODEL: z.string().default('gpt-4'),
  SIMULATED_LATENCY_SCALE: decimal(0, 100).prefault('1'),
  FAULTS: z.string().transform(toFaults).prefault('all'),
  ADMIN_TOKEN: secret().optional(),
  GUARDED_ROUTES: oneOf('auto', 'open').default('auto'),
  ALLOWED_HOSTS: list().prefault('localhost,127.0.0.1,[::1]'),
  MODEL_PRICES: pairs('model=prompt/completion in USD per million tokens', parsePrice).prefault(
    'gpt-4=30/60,gpt-4o=2.5/10,gpt-4o-mini=0.15/0.6'
  ),
  TENANT_PLANS: pairs('tenant=plan', (plan) => plan || undefined).optional(),
  CAPTURE_CONTENT: flag().prefault('false'),
  DIAGNOSIS_MIN_CPU_MS: decimal(0, 60_000).prefault('20'),
  SLOW_REQUEST_MS: wholeNumber(0, 3_600_000).prefault('3000'),
  HEAP_PROFILE_DIR: z.string().default(tmpdir()),
  SQL_INDEX_ADVICE: oneOf('auto', 'on', 'on-request', 'off').default('auto'),
  MAX_CONCURRENT_QUERIES: wholeNumber(1, 10_000).prefault('64'),
  MAX_WAITING_QUERIES: wholeNumber(0, 100_000).prefault('256'),
  QUERY_TIMEOUT_MS: wholeNumber(1, 3_600_000).prefault('120000'),
  HEADERS_TIMEOUT_MS: wholeNumber(1, 3_600_000).prefault('10000'),
  REQUEST_TIMEOUT_MS: wholeNumber(1, 3_600_000).prefault('30000'),
  SQL_TIMEOUT_MS: wholeNumber(1, 3_600_000).prefault('15000'),
  MODEL_TIMEOUT_MS: wholeNumber(1, 3_600_000).prefault('60000')
})
type Settings = z.infer<typeof settingsSchema>
type SettingName = keyof Settings

/** Other names that the ecosystem has for a setting; the same value under both is fine. */
const aliases: Partial<Record<SettingName, string[]>> = {
  OTEL_SERVICE_NAME: ['DD_SERVICE'],
  SAMPLING_RATE: ['OTEL_TRACES_SAMPLER_ARG', 'DD_TRACE_SAMPLE_RATE']
}

/** What the Python practical sets and this service cannot honour, with what to do instead. */
const meaningless: Record<string, string> = {
  DD_PROFILING_CAPTURE_PCT:
    'the profiler always runs, at 99 Hz; DD_PROFILING_MAX_TIME_USAGE_PCT limits its cost',
  DD_PROFILING_MEMORY_ENABLED: 'heap profiles are taken on request at GET /debug/pprof/heap',
  DD_PROFILING_STACK_ENABLED: 'set DD_PROFILING_ENABLED',
  DD_TRACE_ENABLED: 'set TRACING_ENABLED',
  DD_TRACE_DEBUG: 'set LOG_LEVEL=debug',
  JAEGER_AGENT_HOST: 'Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT, e.g. http://localhost:4318',
  JAEGER_AGENT_PORT: 'Jaeger takes OTLP: set OTEL_EXPORTER_OTLP_ENDPOINT, e.g. http://localhost:4318',
  OTEL_TRACES_SAMPLER: 'the sampler is always parent-based by ratio; set SAMPLING_RATE',
  OTEL_EXPORTER_OTLP_PROTOCOL: 'spans are always sent as OTLP over HTTP'
}

type Environment = Record<string, string | undefined>

/**
 * Reads the settings from `env`; an empty value counts as unset. Throws a ConfigError that lists every fault.
 * `warnings` are for people: settings that will not do what their name promises.
 */
export function parseConfig(env: Environment): { config: Config; warnings: string[] } {
  const set = Object.fromEntries(Object.entries(env).filter(([, text]) => text !== undefined && text !== ''))
  const { input, faults } = resolveAliases(set)
  const parsed = settingsSchema.safeParse(input)
  faults.push(...(parsed.error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`))
  if (set.OTEL_SDK_DISABLED?.toLowerCase() === 'true') {
    faults.push('OTEL_SDK_DISABLED: turns off half of tracing only; set TRACING_ENABLED=false')
  }
  if (parsed.data) faults.push(...findContradictions(parsed.data, set))
  if (!parsed.data || faults.length > 0) throw new ConfigError(faults)
  return {
    config: toConfig(parsed.data),
    warnings: [...warnOfMeaningless(set), ...warnOfUnused(parsed.data)]
  }
}

/** Moves what is set under an alias to the setting's own name. */
function resolveAliases(set: Environment): { input: Environment; faults: string[] } {
  const input = { ...set }
  const faults: string[] = []
  for (const [name, others] of Object.entries(aliases)) {
    const given = [name, ...others].filter((each) => set[each] !== undefined)
    // 0.1 and 0.10 agree, so numbers are compared as numbers.
    const values = new Set(given.map((each) => Number(set[each]) || set[each]))
    if (values.size > 1) {
      faults.push(
        `${given.map((each) => `${each}=${set[each]}`).join(' and ')} mean the same setting: keep one`
      )
    }
    if (given[0] !== undefined) input[name] = set[given[0]]
  }
  return { input, faults }
}

function findContradictions(settings: Settings, set: Environment): string[] {
  const faults: string[] = []
  const { DD_TRACE_AGENT_URL: url, DD_AGENT_HOST: host } = settings
  if (url !== undefined && host !== undefined && new URL(url).hostname !== host) {
    faults.push(`DD_TRACE_AGENT_URL=${url} and DD_AGENT_HOST=${host} name different agents: keep one`)
  }
  // dd-trace reads it by itself, and its profiler would silently not run.
  if (/^(false|0)$/i.test(set.DD_TRACE_ENABLED ?? '') && agentUrlOf(settings) !== undefined) {
    faults.push('DD_TRACE_ENABLED: an agent is set as well; for no tracing at all set TRACING_ENABLED=false')
  }
  if (settings.HEADERS_TIMEOUT_MS > settings.REQUEST_TIMEOUT_MS) {
    faults.push(
      'HEADERS_TIMEOUT_MS: must not exceed REQUEST_TIMEOUT_MS, which is for the headers and the body together'
    )
  }
  return faults
}

function warnOfMeaningless(set: Environment): string[] {
  return Object.entries(meaningless)
    .filter(([name]) => set[name] !== undefined)
    .map(([name, instead]) => `${name} has no effect here: ${instead}`)
}

function warnOfUnused(settings: Settings): string[] {
  const warnings: string[] = []
  if (settings.DD_API_KEY && !agentUrlOf(settings)) {
    warnings.push(
      'DD_API_KEY is not used: tracing from Node needs an agent, set DD_TRACE_AGENT_URL or DD_AGENT_HOST'
    )
  }
  if (settings.OPENAI_API_KEY && !settings.OPENAI_BASE_URL) {
    warnings.push('OPENAI_API_KEY is not used: the simulated model answers until OPENAI_BASE_URL is set')
  }
  if (!isLoopback(settings.HOST) && settings.GUARDED_ROUTES === 'auto' && !settings.ADMIN_TOKEN) {
    warnings.push(
      `HOST=${settings.HOST} is reachable by others: the guarded routes answer 403 until ADMIN_TOKEN is set`
    )
  }
  return warnings
}

function agentUrlOf(settings: Settings): string | undefined {
  return settings.DD_TRACE_AGENT_URL ?? (settings.DD_AGENT_HOST && `http://${settings.DD_AGENT_HOST}:8126`)
}

/** A server of somebody else's holds up its writers while an index is made: only who asks for it gets that. */
function sqlIndexAdviceOf({ SQL_INDEX_ADVICE: mode, DATABASE_URL: databaseUrl }: Settings) {
  if (mode !== 'auto') return mode
  return databaseUrl ? 'on-request' : 'on'
}

/** True for the addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)
}

function toConfig(settings: Settings) {
  const datadogAgentUrl = agentUrlOf(settings)
  return {
    port: settings.PORT,
    host: settings.HOST,
    logLevel: settings.LOG_LEVEL,
    serviceName: settings.OTEL_SERVICE_NAME,
    environment: settings.DD_ENV,
    version: settings.DD_VERSION,
    tracingEnabled: settings.TRACING_ENABLED,
    samplingRate: settings.SAMPLING_RATE,
    profilerEnabled: settings.PROFILER_ENABLED,
    highTrafficRequestsPerHour: settings.HIGH_TRAFFIC_REQUESTS_PER_HOUR,
    highTrafficSamplingRate: settings.HIGH_TRAFFIC_SAMPLING_RATE,
    otlpEndpoint: settings.OTEL_EXPORTER_OTLP_ENDPOINT,
    jaegerQueryUrl: settings.JAEGER_QUERY_URL,
    jaegerUiUrl: settings.JAEGER_UI_URL,
    datadogAgentUrl,
    datadogSite: settings.DD_SITE,
    datadogApiKey: settings.DD_API_KEY,
    datadogProfilingEnabled:
      settings.DD_PROFILING_ENABLED ?? (settings.PROFILER_ENABLED && datadogAgentUrl !== undefined),
    profilingMaxTimeUsagePct: settings.DD_PROFILING_MAX_TIME_USAGE_PCT,
    databaseUrl: settings.DATABASE_URL,
    openaiBaseUrl: settings.OPENAI_BASE_URL,
    openaiApiKey: settings.OPENAI_API_KEY,
    model: settings.MODEL,
    simulatedLatencyScale: settings.SIMULATED_LATENCY_SCALE,
    faults: settings.FAULTS,
    adminToken: settings.ADMIN_TOKEN,
    guardedRoutesOpen: settings.GUARDED_ROUTES === 'open' || isLoopback(settings.HOST),
    allowedHosts: settings.ALLOWED_HOSTS,
    modelPrices: settings.MODEL_PRICES,
    tenantPlans: settings.TENANT_PLANS ?? {},
    captureContent: settings.CAPTURE_CONTENT,
    diagnosisMinCpuMs: settings.DIAGNOSIS_MIN_CPU_MS,
    slowRequestMs: settings.SLOW_REQUEST_MS,
    heapProfileDir: settings.HEAP_PROFILE_DIR,
    sqlIndexAdvice: sqlIndexAdviceOf(settings),
    maxConcurrentQueries: settings.MAX_CONCURRENT_QUERIES,
    maxWaitingQueries: settings.MAX_WAITING_QUERIES,
    queryTimeoutMs: settings.QUERY_TIMEOUT_MS,
    headersTimeoutMs: settings.HEADERS_TIMEOUT_MS,
    requestTimeoutMs: settings.REQUEST_TIMEOUT_MS,
    sqlTimeoutMs: settings.SQL_TIMEOUT_MS,
    modelTimeoutMs: settings.MODEL_TIMEOUT_MS
  }
}
export type Config = ReturnType<typeof toConfig>

/** Libraries of this service that dd-trace wraps when it is loaded, whether or not its plugins are on. */
const WRAPPED_BY_DATADOG = [
  'fetch',
  'http',
  'https',
  'http2',
  'fastify',
  'pg',
  'undici',
  'pino',
  'url',
  'child_process'
]

/**
 * Tells dd-trace to leave the libraries alone, which only the environment can, and only before it is loaded. Spans come
 * from OpenTelemetry; the wrappers would cost every request for nothing.
 */
export function keepDatadogFromWrapping(): void {
  process.env.DD_TRACE_DISABLED_INSTRUMENTATIONS ??= WRAPPED_BY_DATADOG.join(',')
}

const knownNames = [
  ...Object.keys(settingsSchema.shape),
  ...Object.values(aliases).flat(),
  ...Object.keys(meaningless)
]

/** The settings of this process: its environment, and before that `.env` in the working directory, if there is one. */
export function loadConfig(): { config: Config; warnings: string[] } {
  if (!existsSync('.env')) return parseConfig(process.env)
  const names = Object.keys(parseEnv(readFileSync('.env', 'utf8')))
  process.loadEnvFile('.env')
  const { config, warnings } = parseConfig(process.env)
  return { config, warnings: [...warnings, ...warnOfUnknownNames(names, knownNames)] }
}
