/** `npm run diagnose` as a user runs it: a service of its own, real traffic, exit code, JSON and files. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { createFaultRegistry, type FaultName } from '../../src/faults.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const sources = createSourceTree(ROOT)
const faults = createFaultRegistry('all')

interface Run {
  code: number | null
  stdout: string
  stderr: string
}

async function diagnose(directory: string, env: Record<string, string>, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [path.join(ROOT, 'src/cli/diagnose.ts'), ...args], {
    cwd: directory,
    // A port nobody listens on: whatever runs on 8000 is not what this test is about.
    env: { ...process.env, SIMULATED_LATENCY_SCALE: '0', PORT: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  await once(child, 'close')
  return { code: child.exitCode, stdout, stderr }
}

function placeOf(name: FaultName): { file: string; line: number } {
  const fault = faults.find(name)
  assert.ok(fault, `${name} is not registered`)
  return fault
}

/** The finding stands in the function of the fault's comment, inside a loop of it. */
function assertNames(finding: Finding | undefined, name: FaultName): void {
  const fault = placeOf(name)
  const file = path.join(ROOT, fault.file)
  assert.ok(finding, `no finding for ${name}`)
  assert.equal(finding.file, fault.file)
  assert.equal(finding.function, sources.functionAt(file, fault.line)?.name)
  const loop = sources.loopAt(file, finding.line ?? 0)
  assert.ok(loop, `line ${finding.line} of ${finding.file} is in no loop`)
}

describe('npm run diagnose', () => {
  let directory: string

  before(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'diagnose-'))
  })

  after(() => rmSync(directory, { recursive: true }))

  test('names the planted faults by span, function and line at 10 % sampling, and exits with 1', async () => {
    const run = await diagnose(directory, { FAULTS: 'all', SAMPLING_RATE: '0.1' }, '--json')
    assert.equal(run.code, 1, run.stderr)
    const diagnosis = JSON.parse(run.stdout) as Diagnosis
    const found = diagnosis.findings.filter(({ severity }) => severity === 'fault')
    const inSpan = (kind: Finding['kind'], span: string) =>
      found.find((finding) => finding.kind === kind && finding.span === span)
    assert.equal(diagnosis.healthy, false)
    assertNames(inSpan('cpu', 'rag.rerank'), 'quadratic-chunk-filter')
    assertNames(inSpan('cpu', 'openai.generate'), 'slow-prompt-serialization')
    const repeated = inSpan('sql', 'rag.retrieve')
    assertNames(repeated, 'n-plus-one-queries')
    assert.equal(repeated?.line, placeOf('n-plus-one-queries').line)
    assert.ok((repeated?.calls_per_request ?? 0) >= 10)
  })

  test('writes the report and a flame graph that needs nothing else', () => {
    const report = readFileSync(path.join(directory, 'bottleneck_analysis.md'), 'utf8')
    for (const heading of ['## Slowest span', '## Spans', '## Findings'])
      assert.ok(report.includes(heading), report)
    assert.match(report, /- Line: `src\/pipeline\/rerank\.ts:\d+`/)
    const flameGraph = readFileSync(path.join(directory, 'flamegraph.html'), 'utf8')
    assert.match(flameGraph, /src\/pipeline\/rerank\.ts:\d+/)
    assert.doesNotMatch(flameGraph, /<(script|link)[^>]+(src|href)=/)
  })

  test('calls the service healthy with every fault off, and exits with 0', async () => {
    const run = await diagnose(directory, { FAULTS: 'none' }, '--json', '--seconds', '5')
    assert.equal(run.code, 0, run.stdout + run.stderr)
    const diagnosis = JSON.parse(run.stdout) as Diagnosis
    assert.equal(diagnosis.healthy, true)
    assert.ok(diagnosis.window.requests >= 5)
  })

  const mistakes: [what: string, args: string[], message: RegExp][] = [
    ['seconds of 0', ['--seconds', '0'], /--seconds takes a number from 1 to 60/],
    ['seconds of 61', ['--seconds', '61'], /--seconds takes a number from 1 to 60/],
    ['seconds that are text', ['--seconds', 'ten'], /--seconds takes a number from 1 to 60/],
    ['an unknown option', ['--fast'], /Unknown option '--fast'/],
    ['a url that is none', ['--url', 'nonsense'], /--url takes an address/],
    [
      'a url nobody answers at',
      ['--url', 'http://127.0.0.1:1'],
      /No service answers at http:\/\/127\.0\.0\.1:1/
    ],
    ['an id that is a path', ['--compare', '../package'], /--compare takes the id of a diagnosis/],
    ['an id that is unknown', ['--compare', 'nothing'], /There is no diagnosis nothing here/]
  ]
  for (const [what, args, message] of mistakes) {
    test(`says what to change for ${what}, and exits with 2`, async () => {
      const run = await diagnose(directory, {}, ...args)
      assert.equal(run.code, 2, run.stdout)
      assert.match(run.stderr, message)
    })
  }
})
