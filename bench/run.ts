/** `npm run bench`: what observing costs, against others, and how fast it answers. */
import { mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { SingleBar } from 'cli-progress'
import { EXIT_COULD_NOT_RUN, readNumber, readOptions, runCommand, UsageError } from '../src/cli/command.ts'
import { drawChart } from './chart.ts'
import { renderSection } from './render.ts'
import type { BenchOptions, OnStep, Section, SectionResult } from './section.ts'
import { diagnosisSection } from './sections/diagnosis.ts'
import { faultsSection } from './sections/faults.ts'
import { peersSection } from './sections/peers.ts'
import { profilersSection } from './sections/profilers.ts'

const SECTIONS: Section[] = [peersSection, profilersSection, faultsSection, diagnosisSection]
const RESULTS_DIR = path.join(import.meta.dirname, 'results')

const USAGE = `Usage: npm run bench [-- options]

  --only NAMES   sections, separated by commas; without it, all of them:
${SECTIONS.map(({ name, describes }) => `                   ${name.padEnd(10)} ${describes}`).join('\n')}
  --rounds N     how often everything is measured, in turn, 1 to 50 (5)
  --seconds N    how long one measurement lasts, 1 to 300 (8)
  --rate N       requests a second, 1 to 1000 (50)
  --json         print every measurement as JSON
  --help

Writes bench/results/<section>.json, and a chart beside it where there is one. Run it on an idle machine.
Exit code: 0 measured (a target that was missed is said, and fails nothing), 2 could not run
What the figures are good for: docs/decide.md`

const EXIT_MEASURED = 0

async function main(): Promise<number> {
  const values = readOptions({
    only: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '8' },
    rate: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  })
  if (values.help) {
    console.log(USAGE)
    return EXIT_MEASURED
  }
  const options: BenchOptions = {
    rounds: readNumber('rounds', values.rounds, 1, 50),
    seconds: readNumber('seconds', values.seconds, 1, 300),
    rate: readNumber('rate', values.rate, 1, 1000)
  }
  const results: Record<string, SectionResult> = {}
  for (const section of chooseSections(values.only)) {
    const result = await runSection(section, options)
    results[section.name] = result
    keep(section.name, result, options)
    if (!values.json) console.log(renderSection(result))
  }
  if (values.json) console.log(JSON.stringify({ machine: describeMachine(), options, results }, null, 2))
  return Object.keys(results).length > 0 ? EXIT_MEASURED : EXIT_COULD_NOT_RUN
}

function chooseSections(only: string | undefined): Section[] {
  if (only === undefined) return SECTIONS
  return only.split(',').map(function findSection(name) {
    const found = SECTIONS.find((section) => section.name === name.trim())
    if (found) return found
    throw new UsageError(`--only takes names out of ${SECTIONS.map((each) => each.name).join(', ')}`)
  })
}

async function runSection(section: Section, options: BenchOptions): Promise<SectionResult> {
  const { onStep, stop } = showSteps(section.name)
  try {
    return await section.run(options, onStep)
  } finally {
    stop()
  }
}

/** A bar on a terminal; elsewhere a line for each step, so that a log shows that something happens. */
function showSteps(name: string): { onStep: OnStep; stop(): void } {
  if (!process.stderr.isTTY) {
    return {
      onStep: (doing, step, steps) => console.error(`${name} ${step}/${steps}: ${doing}`),
      stop() {}
    }
  }
  const bar = new SingleBar({
    format: `${name} {bar} {value}/{total} · {doing}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true
  })
  let isShown = false
  return {
    onStep(doing, step, steps) {
      if (!isShown) bar.start(steps, step, { doing })
      isShown = true
      bar.setTotal(steps)
      bar.update(step, { doing })
    },
    stop: () => bar.stop()
  }
}

function keep(name: string, result: SectionResult, options: BenchOptions): void {
  mkdirSync(RESULTS_DIR, { recursive: true })
  const text = JSON.stringify({ machine: describeMachine(), options, ...result }, null, 2)
  writeFileSync(path.join(RESULTS_DIR, `${name}.json`), `${text}\n`)
  if (result.chart) writeFileSync(path.join(RESULTS_DIR, `${name}.svg`), drawChart(result.chart))
}

function describeMachine() {
  const cpus = os.cpus()
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus[0]?.model ?? 'unknown',
    cores: cpus.length,
    memory_gb: Math.round(os.totalmem() / 2 ** 30),
    load_1_min: os.loadavg()[0]
  }
}

runCommand(USAGE, main)
