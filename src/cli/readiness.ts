/** `npm run readiness`: is everything there that the course's checklists ask for? Each check is done for real. */
import { loadConfig } from '../config.ts'
import { readOptions, readUrl, runCommand } from './command.ts'
import { DATADOG_CHECKS } from './readiness-datadog.ts'
import { JAEGER_CHECKS } from './readiness-jaeger.ts'
import { METRICS_CHECKS } from './readiness-metrics.ts'
import { type Check, type Outcome, openSubject, SERVICE_CHECKS } from './readiness-service.ts'
import { findService } from './service.ts'

const USAGE = `Usage: npm run readiness [-- options]

  --url URL      a running service; without it, the one on PORT
  --token TOKEN  its ADMIN_TOKEN, where it needs one
  --strict       what is skipped fails
  --json         print the results as JSON
  --help

Exit code: 0 all passed, 1 some failed, 2 could not run
How to connect Jaeger or Datadog: README.md; where no traces appear: docs/failures.md`

const EXIT_PASSED = 0
const EXIT_FAILED = 1

type Result = { name: string } & Outcome

async function main(): Promise<number> {
  const values = readOptions({
    url: { type: 'string' },
    token: { type: 'string' },
    strict: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  })
  if (values.help) {
    console.log(USAGE)
    return EXIT_PASSED
  }
  const { config } = loadConfig()
  const url = await findService(
    values.url === undefined ? `http://127.0.0.1:${config.port}` : readUrl(values.url)
  )
  const subject = await openSubject(url, config, values.token)
  const results: Result[] = []
  for (const check of [...SERVICE_CHECKS, ...METRICS_CHECKS, ...JAEGER_CHECKS, ...DATADOG_CHECKS]) {
    results.push({ name: check.name, ...(await run(check, subject)) })
  }
  const counts = countByStatus(results)
  console.log(values.json ? JSON.stringify({ url, ...counts, checks: results }, null, 2) : render(results))
  return counts.failed > 0 || (values.strict && counts.skipped > 0) ? EXIT_FAILED : EXIT_PASSED
}

/** What a check throws is its failure: somebody does not answer, or not as expected. */
async function run(check: Check, subject: Parameters<Check['run']>[0]): Promise<Outcome> {
  try {
    return await check.run(subject)
  } catch (error) {
    const { message, cause } = error as Error
    const detail = cause instanceof Error ? `${message}: ${cause.message}` : message
    return { status: 'fail', detail, mend: check.mend }
  }
}

function countByStatus(results: Result[]) {
  const count = (status: Outcome['status']) => results.filter((result) => result.status === status).length
  return { passed: count('pass'), failed: count('fail'), skipped: count('skipped') }
}

function render(results: Result[]): string {
  const lines = results.map((result) => {
    const mend = result.status === 'fail' ? `\n         → ${result.mend}` : ''
    return `${result.status.padEnd(7)}  ${result.name}: ${result.detail}${mend}`
  })
  const { passed, failed, skipped } = countByStatus(results)
  return [...lines, '', `${passed} passed, ${failed} failed, ${skipped} skipped`].join('\n')
}

runCommand(USAGE, main)
