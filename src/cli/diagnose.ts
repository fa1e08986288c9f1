/** `npm run diagnose`: sends traffic, diagnoses it, prints the findings, writes the report and the flame graph. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { SingleBar } from 'cli-progress'
import { ConfigError, loadConfig } from '../config.ts'
import { compareDiagnoses } from '../diagnosis/compare.ts'
import { renderFlameGraph } from '../diagnosis/flame-graph-html.ts'
import { renderMarkdown } from '../diagnosis/report-markdown.ts'
import { renderComparison, renderText } from '../diagnosis/report-text.ts'
import type { DiagnosisRecord } from '../diagnosis/run-diagnosis.ts'
import { findOrStartService, ROOT_DIR, type RunningService } from './service.ts'
import { sendSampleQueries } from './traffic.ts'

const USAGE = `Usage: npm run diagnose [-- options]

  --url URL       a running service; without it, the one on PORT, or else one of its own
  --seconds N     at most so long, 1 to 60 (10); it ends as soon as the evidence suffices
  --compare ID    show what changed since an earlier diagnosis
  --token T       the service's ADMIN_TOKEN
  --json          print the diagnosis as JSON
  --help

Exit code: 0 healthy, 1 not healthy, 2 could not run`

const EXIT_HEALTHY = 0
const EXIT_NOT_HEALTHY = 1
const EXIT_COULD_NOT_RUN = 2

/** Enough to overlap the model's waits, few enough that each request's own times stay readable. */
const CONCURRENCY = 4
const KEPT_RECORDS = 50
const RECORDS_DIR = path.join(ROOT_DIR, '.cache', 'diagnoses')

interface Options {
  url: string | undefined
  seconds: number
  compare: string | undefined
  token: string | undefined
  json: boolean
}

/** Something the caller can mend; its message is all that is printed. */
class UsageError extends Error {}

function parseOptions(args: string[]): Options | 'help' {
  const { values } = parseKnown(args)
  if (values.help) return 'help'
  const seconds = Number(values.seconds ?? 10)
  if (!(seconds >= 1 && seconds <= 60)) throw new UsageError('--seconds takes a number from 1 to 60')
  if (values.url !== undefined && !URL.canParse(values.url)) {
    throw new UsageError('--url takes an address such as http://localhost:8000')
  }
  return {
    url: values.url,
    seconds,
    compare: values.compare,
    token: values.token,
    json: values.json ?? false
  }
}

function parseKnown(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        url: { type: 'string' },
        seconds: { type: 'string' },
        compare: { type: 'string' },
        token: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean' }
      }
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') {
    console.log(USAGE)
    return EXIT_HEALTHY
  }
  const { config } = loadConfig()
  const before = options.compare === undefined ? undefined : readRecord(options.compare)
  const startedAt = performance.now()
  const service = await findOrStartService({
    url: options.url,
    defaultUrl: `http://127.0.0.1:${config.port}`,
    onProgress: (text) => process.stderr.write(`${text} …\n`)
  })
  stopOnSignals(service)
  try {
    const token = options.token ?? config.adminToken?.reveal()
    const record = await diagnoseUnderLoad(service.url, options.seconds, token)
    const elapsedS = (performance.now() - startedAt) / 1000
    const comparison = before && compareDiagnoses(before, record)
    const files = writeFiles(record)
    if (options.json) {
      const { flame: _, ...diagnosis } = record
      console.log(JSON.stringify({ ...diagnosis, ...(comparison ? { comparison } : {}) }, null, 2))
    } else {
      console.log(renderText(record, { url: service.url, elapsedS, files }))
      if (comparison) console.log(renderComparison(comparison))
    }
    return record.healthy ? EXIT_HEALTHY : EXIT_NOT_HEALTHY
  } finally {
    await service.stop()
  }
}

function stopOnSignals(service: RunningService): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      void service.stop().finally(() => process.exit(EXIT_COULD_NOT_RUN))
    })
  }
}

async function diagnoseUnderLoad(
  url: string,
  seconds: number,
  token: string | undefined
): Promise<DiagnosisRecord> {
  const bar = createBar()
  const traffic = new AbortController()
  const counts = { answered: 0, failed: 0 }
  bar.start(seconds, 0, counts)
  const startedAt = performance.now()
  const timer = setInterval(() => bar.update((performance.now() - startedAt) / 1000, counts), 200)
  const diagnosis = call(url, 'POST', '/diagnosis', token, { seconds }) as Promise<{ id: string }>
  // A request that came before the window would not count.
  const load = untilWindowIsOpen(url, token, diagnosis).then(() =>
    sendSampleQueries({
      url,
      concurrency: CONCURRENCY,
      signal: traffic.signal,
      onAnswer: ({ ok }) => {
        counts[ok ? 'answered' : 'failed'] += 1
      }
    })
  )
  try {
    const { id } = await diagnosis
    return (await call(url, 'GET', `/diagnosis/${id}`, token)) as DiagnosisRecord
  } finally {
    traffic.abort()
    await Promise.allSettled([load])
    clearInterval(timer)
    bar.stop()
  }
}

async function untilWindowIsOpen(
  url: string,
  token: string | undefined,
  diagnosis: Promise<unknown>
): Promise<void> {
  const settled = diagnosis.then(
    () => true,
    () => true
  )
  while (!((await call(url, 'GET', '/diagnosis', token)) as { running: boolean }).running) {
    if (await Promise.race([settled, delay(20, false)])) return
  }
}

function createBar(): SingleBar {
  return new SingleBar({
    format: 'observing {bar} {value}/{total} s · {answered} answers, {failed} failed',
    formatValue: (value, _options, type) =>
      type === 'value' || type === 'total' ? value.toFixed(0) : String(value),
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true
  })
}

async function call(
  url: string,
  method: string,
  route: string,
  token?: string,
  body?: object
): Promise<unknown> {
  const response = await fetch(new URL(route, url), {
    method,
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    ...(body ? { body: JSON.stringify(body) } : {})
  })
  const answer = (await response.json()) as { message?: string }
  if (!response.ok) throw new UsageError(`${method} ${route} answered ${response.status}: ${answer.message}`)
  return answer
}

function writeFiles(record: DiagnosisRecord): { report: string; flameGraph: string } {
  const files = { report: 'bottleneck_analysis.md', flameGraph: 'flamegraph.html' }
  writeFileSync(files.report, renderMarkdown(record))
  writeFileSync(files.flameGraph, renderFlameGraph(record))
  mkdirSync(RECORDS_DIR, { recursive: true })
  writeFileSync(recordPath(record.id), JSON.stringify(record))
  removeOldRecords()
  return files
}

function recordPath(id: string): string {
  return path.join(RECORDS_DIR, `${id}.json`)
}

function readRecord(id: string): DiagnosisRecord {
  // An id is a file's name here: nothing else may be.
  if (!/^[\w-]+$/.test(id)) throw new UsageError(`--compare takes the id of a diagnosis, not "${id}"`)
  try {
    return JSON.parse(readFileSync(recordPath(id), 'utf8')) as DiagnosisRecord
  } catch {
    throw new UsageError(
      `There is no diagnosis ${id} here. Known: ${listRecords().join(', ') || 'none yet'}.`
    )
  }
}

function listRecords(): string[] {
  try {
    return readdirSync(RECORDS_DIR).map((name) => path.basename(name, '.json'))
  } catch {
    return []
  }
}

function removeOldRecords(): void {
  const byAge = listRecords()
    .map((id) => ({ id, ms: statSync(recordPath(id)).mtimeMs }))
    .sort((a, b) => b.ms - a.ms)
  for (const { id } of byAge.slice(KEPT_RECORDS)) rmSync(recordPath(id), { force: true })
}

function explain(error: unknown): string {
  if (error instanceof UsageError) return `${error.message}\n\n${USAGE}`
  return error instanceof ConfigError ? error.message : (error as Error).message
}

main().then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(explain(error))
    process.exitCode = EXIT_COULD_NOT_RUN
  }
)
