/** How long it takes from a slow request to the line, and to a verdict on memory; and what that holds up. */
import exampleData from '../../example_data.json' with { type: 'json' }
import { sendUnpaced } from '../paced-load.ts'
import type { BenchOptions, OnStep, Section, SectionResult } from '../section.ts'
import { type ServiceProcess, startServiceProcess } from '../service-process.ts'
import { describeSpread, spreadOf } from '../statistics.ts'
import { measureWindowPauses } from '../window-pause.ts'

const CEILING_SECONDS = 30
const REQUESTS = 5
const CPU_FAULTS = ['quadratic-chunk-filter', 'slow-prompt-serialization']
const LEAK = 'unbounded-document-cache'

interface Fault {
  name: string
  file: string
}

interface Finding {
  kind: string
  severity: string
  file: string | null
  line: number | null
}

interface Round {
  lineMs: number
  namesLines: boolean
  leakMs: number
  leakVerdict: string
  cleanMs: number
  cleanVerdict: string
}

export const diagnosisSection: Section = {
  name: 'diagnosis',
  describes: 'time to the named line and to the verdict on memory, and the pauses of a window',
  run: measureDiagnosis
}

async function measureDiagnosis({ rounds }: BenchOptions, onStep: OnStep): Promise<SectionResult> {
  const service = await startServiceProcess({})
  const measured: Round[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      onStep(`round ${round + 1}`, round, rounds + 1)
      measured.push(await measureRound(service))
    }
  } finally {
    await service.stop()
  }
  onStep('pauses of windows', rounds, rounds + 1)
  return conclude(measured, await measureWindowPauses(rounds))
}

async function measureRound(service: ServiceProcess): Promise<Round> {
  const faults = await switchFaults(service.url, true)
  const startedAt = performance.now()
  const [{ findings }] = await Promise.all([
    call<{ findings: Finding[] }>(service.url, 'POST', '/diagnosis', { seconds: CEILING_SECONDS }),
    sendUnpaced(service.url, { connections: 1, requests: REQUESTS, queries: exampleData.sample_queries })
  ])
  const lineMs = performance.now() - startedAt
  const leak = await checkLeak(service.url)
  await call(service.url, 'PUT', `/faults/${LEAK}`, { enabled: false })
  const clean = await checkLeak(service.url)
  return {
    lineMs,
    namesLines: CPU_FAULTS.every((name) =>
      findings.some(
        ({ kind, severity, file, line }) =>
          kind === 'cpu' && severity === 'fault' && line !== null && file === findFile(faults, name)
      )
    ),
    leakMs: leak.ms,
    leakVerdict: leak.verdict,
    cleanMs: clean.ms,
    cleanVerdict: clean.verdict
  }
}

function findFile(faults: Fault[], name: string): string | undefined {
  return faults.find((each) => each.name === name)?.file
}

async function switchFaults(url: string, enabled: boolean): Promise<Fault[]> {
  const { faults } = await call<{ faults: Fault[] }>(url, 'PUT', '/faults', { enabled })
  return faults
}

async function checkLeak(url: string): Promise<{ ms: number; verdict: string }> {
  const startedAt = performance.now()
  const { leak_check } = await call<{ leak_check: { verdict: string } }>(
    url,
    'POST',
    '/memory/leak-check',
    {}
  )
  return { ms: performance.now() - startedAt, verdict: leak_check.verdict }
}

/** @throws Error with the answer where it is none of success */
async function call<T = unknown>(url: string, method: string, route: string, body: object): Promise<T> {
  const response = await fetch(new URL(route, url), {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

function conclude(rounds: Round[], pauses: Awaited<ReturnType<typeof measureWindowPauses>>): SectionResult {
  const describe = (values: number[], digits = 0) => describeSpread(spreadOf(values), digits)
  const count = (isRight: (round: Round) => boolean) => `${rounds.filter(isRight).length} of ${rounds.length}`
  return {
    title: 'From a slow span to the line, and to a verdict on memory',
    tables: [
      {
        columns: ['what', 'ms (min to max)', 'right'],
        rows: [
          [
            `first of ${REQUESTS} slow requests → both lines named`,
            describe(rounds.map(({ lineMs }) => lineMs)),
            count(({ namesLines }) => namesLines)
          ],
          [
            'leak check → leak',
            describe(rounds.map(({ leakMs }) => leakMs)),
            count(({ leakVerdict }) => leakVerdict === 'leak')
          ],
          [
            'leak check → no leak',
            describe(rounds.map(({ cleanMs }) => cleanMs)),
            count(({ cleanVerdict }) => cleanVerdict === 'clean' || cleanVerdict === 'bounded')
          ],
          ["a window's longest step", describe(pauses.stepMs, 1), ''],
          ['longest delay of the loop, in a window', describe(pauses.loopDelayMs, 1), ''],
          ['longest delay of the loop, without one', describe(pauses.restLoopDelayMs, 1), '']
        ]
      }
    ],
    targets: [
      {
        promise: 'both lines are named in every window',
        measured: count(({ namesLines }) => namesLines),
        isMet: rounds.every(({ namesLines }) => namesLines)
      },
      {
        promise: 'every verdict on memory is right',
        measured: count((round) => round.leakVerdict === 'leak' && round.cleanVerdict !== 'leak'),
        isMet: rounds.every((round) => round.leakVerdict === 'leak' && round.cleanVerdict !== 'leak')
      }
    ],
    notes: [
      `Medians of ${rounds.length} rounds against one service, without simulated latency, at 10 % sampling.`
    ],
    measurements: { rounds, pauses }
  }
}
