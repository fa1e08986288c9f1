/** `npm run diagnose`: sends traffic, diagnoses it, prints the findings, writes the report and the flame graph. */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { loadConfig } from '../config.ts'
import { compareDiagnoses } from '../diagnosis/compare.ts'
import { renderFlameGraph } from '../diagnosis/flame-graph-html.ts'
import { renderMarkdown } from '../diagnosis/report-markdown.ts'
import { renderComparison, renderText } from '../diagnosis/report-text.ts'
import type { DiagnosisRecord } from '../diagnosis/run-diagnosis.ts'
import { EXIT_COULD_NOT_RUN, readNumber, readOptions, readUrl, runCommand, UsageError } from './command.ts'
import { readRecord, saveRecord } from './diagnosis-records.ts'
import { showProgress } from './progress-bar.ts'
import { findOrStartService, type RunningService } from './service.ts'
import { sendSampleQueries } from './traffic.ts'

const USAGE = `Usage: npm run diagnose [-- options]

  --url URL       a running service; without it, the one on PORT, or else one of its own
  --seconds N     at most so long, 1 to 60 (10); it ends as soon as the evidence suffices
  --compare ID    show what changed since an earlier diagnosis
  --token T       the service's ADMIN_TOKEN
  --json          print the diagnosis as JSON
  --help

Exit code: 0 healthy, 1 not healthy, 2 could not run
What it finds, and what to do about it: docs/walk.md`

const EXIT_HEALTHY = 0
const EXIT_NOT_HEALTHY = 1

/** Enough to overlap the model's waits, few enough that each request's own times stay readable. */
const CONCURRENCY = 4
const FILES = { report: 'bottleneck_analysis.md', flameGraph: 'flamegraph.html' }

async function main(): Promise<number> {
  const options = readOptions({
    url: { type: 'string' },
    seconds: { type: 'string', default: '10' },
    compare: { type: 'string' },
    token: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  })
  if (options.help) {
    console.log(USAGE)
    return EXIT_HEALTHY
  }
  const seconds = readNumber('seconds', options.seconds, 1, 60)
  const url = options.url === undefined ? undefined : readUrl(options.url)
  const { config } = loadConfig()
  const before = options.compare === undefined ? undefined : readRecord(options.compare)
  const startedAt = performance.now()
  const service = await findOrStartService({
    url,
    defaultUrl: `http://127.0.0.1:${config.port}`,
    onProgress: (text) => process.stderr.write(`${text} …\n`)
  })
  stopOnSignals(service)
  try {
    const token = options.token ?? config.adminToken?.reveal()
    const record = await diagnoseUnderLoad(service.url, seconds, token)
    const elapsedS = (performance.now() - startedAt) / 1000
    const comparison = before && compareDiagnoses(before, record)
    const unwritable = tryToWriteFiles(record)
    if (options.json) {
      const { flame: _, ...diagnosis } = record
      console.log(JSON.stringify({ ...diagnosis, ...(comparison ? { comparison } : {}) }, null, 2))
    } else {
      console.log(renderText(record, { url: service.url, elapsedS, files: FILES }))
      if (comparison) console.log(renderComparison(comparison))
    }
    if (unwritable !== undefined) throw new Error(unwritable)
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
  const traffic = new AbortController()
  const counts = { answered: 0, failed: 0 }
  const stopProgress = showProgress('observing', seconds, counts)
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
    stopProgress()
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

/** What was found is worth showing, also where it cannot be kept. @returns why it cannot */
function tryToWriteFiles(record: DiagnosisRecord): string | undefined {
  try {
    writeFileSync(FILES.report, renderMarkdown(record))
    writeFileSync(FILES.flameGraph, renderFlameGraph(record))
    saveRecord(record)
    return undefined
  } catch (error) {
    return `The report cannot be written in ${process.cwd()}: ${(error as Error).message}`
  }
}

runCommand(USAGE, main)
