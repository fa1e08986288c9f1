/** Readiness: what the service itself has to show. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.ts'

const TIMEOUT_MS = 10_000
/** A full-fault query takes some 5 s, and longer beside others. */
const QUERY_TIMEOUT_MS = 60_000
const EXPECTED_RATE = 0.1
const LLM_ATTRIBUTES = ['llm.model', 'llm.prompt_tokens', 'llm.completion_tokens']

export type Outcome =
  | { status: 'pass' | 'skipped'; detail: string }
  | { status: 'fail'; detail: string; mend: string }

export interface Check {
  name: string
  /** What to do where it fails because something does not answer. */
  mend: string
  run(subject: Subject): Promise<Outcome>
}

/** A running service, its settings, and one query that it was sent for the checks. */
export interface Subject {
  url: string
  /** Of this process: secrets and addresses that the service does not tell. */
  config: Config
  apm: ApmConfig
  /** Its trace is sampled. */
  answer: { trace_id: string; sampled: boolean; usage: { cost_usd: number | null } }
  get<Body>(path: string): Promise<Body>
}

interface ApmConfig {
  service: string
  tracing_enabled: boolean
  sampling_rate: number
  otlp_endpoint: string | null
  datadog: { agent_url: string | null; site: string }
}

export interface TraceSpan {
  name: string
  attributes: Record<string, unknown>
}

/** @throws Error when the service does not answer a query */
export async function openSubject(url: string, config: Config, token: string | undefined): Promise<Subject> {
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` }
  const get = <Body>(path: string) => readJson<Body>(new URL(path, url), headers && { headers })
  return {
    url,
    config,
    apm: await get<ApmConfig>('/apm/config'),
    answer: await sendQuery(url),
    get
  }
}

export function sendQuery(url: string): Promise<Subject['answer']> {
  return readJson(new URL('/query', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-force-sample': '1' },
    body: JSON.stringify({ query: 'What are the compliance requirements?', user_id: 'readiness' }),
    signal: AbortSignal.timeout(QUERY_TIMEOUT_MS)
  })
}

/** @throws Error with the status where the answer is not a good one */
export async function readJson<Body>(url: URL, init: RequestInit = {}): Promise<Body> {
  return (await (await request(url, init)).json()) as Body
}

/** @throws Error with the status where the answer is not a good one, or none comes within 10 s */
export async function request(url: URL, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), ...init }).catch(
    (error: Error) => {
      throw new Error(`${url.origin} does not answer`, { cause: error.cause ?? error })
    }
  )
  if (!response.ok) throw new Error(`${url.origin}${url.pathname} answered ${response.status}`)
  return response
}

export function passIf(condition: boolean, detail: string, mend: string): Outcome {
  return condition ? { status: 'pass', detail } : { status: 'fail', detail, mend }
}

export function skipped(detail: string): Outcome {
  return { status: 'skipped', detail }
}

/** Polls until `find` finds something, 15 s at most: spans are sent every 5 s. */
export async function poll<T>(find: () => Promise<T | undefined>): Promise<T | undefined> {
  const deadlineMs = Date.now() + 15_000
  while (Date.now() < deadlineMs) {
    const found = await find()
    if (found !== undefined) return found
    await delay(500)
  }
  return undefined
}

/** That the model's span tells what was asked of the model. */
export function judgeModelSpan(spans: TraceSpan[] | undefined): Outcome {
  const attributes = spans?.find(({ name }) => name === 'openai.generate')?.attributes
  if (attributes === undefined) {
    return {
      status: 'fail',
      detail: 'no span openai.generate',
      mend: 'look into the log for why the query failed'
    }
  }
  const missing = LLM_ATTRIBUTES.filter((name) => attributes[name] === undefined)
  return passIf(
    missing.length === 0,
    missing.length === 0 ? LLM_ATTRIBUTES.join(', ') : `missing: ${missing.join(', ')}`,
    'set them where src/pipeline/generate.ts calls the model'
  )
}

export const SERVICE_CHECKS: Check[] = [
  {
    name: 'tracing',
    mend: 'start the service with TRACING_ENABLED=true',
    async run({ apm, answer }) {
      const detail = `the query's trace is ${answer.sampled ? '' : 'not '}sampled`
      return passIf(apm.tracing_enabled && answer.sampled, detail, this.mend)
    }
  },
  {
    name: 'sampling rate is 0.10',
    mend: 'set SAMPLING_RATE=0.1',
    async run({ apm }) {
      return passIf(apm.sampling_rate === EXPECTED_RATE, String(apm.sampling_rate), this.mend)
    }
  },
  {
    name: 'attributes of the model span',
    mend: 'pass --token with the ADMIN_TOKEN of the service',
    async run({ get, answer }) {
      const trace = await poll(() =>
        get<{ spans: TraceSpan[] }>(`/traces/${answer.trace_id}`).catch(ignoreNotFound)
      )
      return judgeModelSpan(trace?.spans)
    }
  },
  {
    name: 'OpenTelemetry packages load',
    mend: 'run npm ci',
    async run() {
      await Promise.all([
        import('@opentelemetry/sdk-node'),
        import('@opentelemetry/exporter-trace-otlp-http'),
        import('@opentelemetry/instrumentation-pg')
      ])
      return { status: 'pass', detail: 'sdk-node, exporter-trace-otlp-http, instrumentation-pg' }
    }
  }
]

/** A trace is there some moments after its answer. */
export function ignoreNotFound(error: Error): undefined {
  if (!error.message.endsWith('answered 404')) throw error
}
