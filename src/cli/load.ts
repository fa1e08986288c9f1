/** `npm run load`: a newcomer's traffic at a steady rate, every trace sampled, so that there is something to look at. */
import { performance } from 'node:perf_hooks'
import { loadConfig } from '../config.ts'
import { EXIT_COULD_NOT_RUN, readNumber, readOptions, readUrl, runCommand } from './command.ts'
import { showProgress } from './progress-bar.ts'
import { findService } from './service.ts'
import { sendSampleQueries, type TrafficAnswer } from './traffic.ts'

const USAGE = `Usage: npm run load [-- options]

  --url URL      a running service; without it, the one on PORT
  --rate N       queries a second, 0.1 to 100 (1); fewer when the service can't keep up
  --seconds N    how long to send, 1 to 600 (20)
  --json         print the summary as JSON
  --help

Exit code: 0 sent, 2 could not run
Where its traces can be seen: README.md; where there are none: docs/failures.md`

const EXIT_SENT = 0
/** At one query a second with every fault on, some ten wait for their answer at a time. */
const CONCURRENCY = 32

/** The part of GET /apm/config that tells where the traces went. */
interface ApmConfig {
  tracing_enabled: boolean
  otlp_endpoint: string | null
  jaeger_ui_url: string
}

interface Summary {
  url: string
  seconds: number
  queries: number
  answers: number
  errors: number
  /** How many errors there were of each HTTP status; 0 is no answer at all. */
  errors_by_status: Record<number, number>
  queries_per_second: number
  /** Of the answers; null without one. */
  p50_ms: number | null
  p95_ms: number | null
  slowest_trace_id: string | null
  next_step: string
}

async function main(): Promise<number> {
  const values = readOptions({
    url: { type: 'string' },
    rate: { type: 'string', default: '1' },
    seconds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  })
  if (values.help) {
    console.log(USAGE)
    return EXIT_SENT
  }
  const rate = readNumber('rate', values.rate, 0.1, 100)
  const seconds = readNumber('seconds', values.seconds, 1, 600)
  const url = await findService(
    values.url === undefined ? `http://127.0.0.1:${loadConfig().config.port}` : readUrl(values.url)
  )
  const apm = await readApmConfig(url)
  const startedAt = performance.now()
  const answers = await send(url, rate, seconds)
  const summary = summarize(url, (performance.now() - startedAt) / 1000, answers, apm)
  console.log(values.json ? JSON.stringify(summary, null, 2) : renderSummary(summary))
  return summary.answers > 0 ? EXIT_SENT : EXIT_COULD_NOT_RUN
}

/** @returns what came back; Ctrl-C ends it early, and what has come by then is told all the same */
async function send(url: string, rate: number, seconds: number): Promise<TrafficAnswer[]> {
  const answers: TrafficAnswer[] = []
  const counts = { answered: 0, failed: 0 }
  const interruption = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => interruption.abort())
  const stopProgress = showProgress('sending', seconds, counts)
  await sendSampleQueries({
    url,
    concurrency: CONCURRENCY,
    rate,
    durationMs: seconds * 1000,
    signal: interruption.signal,
    headers: { 'x-force-sample': '1' },
    onAnswer(answer) {
      answers.push(answer)
      counts[answer.ok ? 'answered' : 'failed'] += 1
    }
  })
  stopProgress()
  return answers
}

async function readApmConfig(url: string): Promise<ApmConfig> {
  const response = await fetch(new URL('/apm/config', url))
  return (await response.json()) as ApmConfig
}

function summarize(url: string, seconds: number, all: TrafficAnswer[], apm: ApmConfig): Summary {
  const answers = all.filter(({ ok }) => ok).sort((a, b) => a.durationMs - b.durationMs)
  const errors = Object.groupBy(
    all.filter(({ ok }) => !ok),
    ({ status }) => status
  )
  const slowest = answers.at(-1)
  return {
    url,
    seconds: round(seconds),
    queries: all.length,
    answers: answers.length,
    errors: all.length - answers.length,
    errors_by_status: Object.fromEntries(
      Object.entries(errors).map(([status, each]) => [status, each?.length ?? 0])
    ),
    queries_per_second: round(all.length / seconds),
    p50_ms: percentile(answers, 0.5),
    p95_ms: percentile(answers, 0.95),
    slowest_trace_id: slowest?.traceId ?? null,
    next_step: nextStep(url, slowest, apm)
  }
}

/** By nearest rank. @param answers the fastest first */
function percentile(answers: TrafficAnswer[], share: number): number | null {
  const answer = answers[Math.ceil(answers.length * share) - 1]
  return answer ? round(answer.durationMs) : null
}

function round(value: number): number {
  return Number(value.toFixed(1))
}

function nextStep(url: string, slowest: TrafficAnswer | undefined, apm: ApmConfig): string {
  if (!slowest) return "look for the cause in the service's log"
  const { traceId } = slowest
  if (!apm.tracing_enabled) return 'start the service with TRACING_ENABLED=true: it made no traces'
  if (apm.otlp_endpoint !== null)
    return `open the slowest one in Jaeger: ${apm.jaeger_ui_url}/trace/${traceId}`
  return (
    `read the slowest one's spans: curl -s ${new URL(`/traces/${traceId}`, url)}\n` +
    '(to see them in Jaeger, start the service with OTEL_EXPORTER_OTLP_ENDPOINT, e.g. http://localhost:4318)'
  )
}

function renderSummary(summary: Summary): string {
  const errors = Object.entries(summary.errors_by_status).map(
    ([status, count]) => `${count} × ${status === '0' ? 'no answer' : `status ${status}`}`
  )
  return [
    `${summary.queries} queries in ${summary.seconds} s (${summary.queries_per_second}/s) to ${summary.url}`,
    `  answers  ${summary.answers}`,
    `  errors   ${summary.errors}${errors.length > 0 ? ` (${errors.join(', ')})` : ''}`,
    `  p50      ${summary.p50_ms ?? '–'} ms`,
    `  p95      ${summary.p95_ms ?? '–'} ms`,
    '',
    `Next: ${summary.next_step}`
  ].join('\n')
}

runCommand(USAGE, main)
