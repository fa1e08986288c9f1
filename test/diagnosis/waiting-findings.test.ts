import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import type { Finding } from '../../src/diagnosis/finding.ts'
import { findWaitingFindings } from '../../src/diagnosis/waiting-findings.ts'
import type { Growth } from '../../src/evidence/complexity.ts'
import type { ChildTimes, SpanTimes } from '../../src/evidence/span-times.ts'
import { OUTSIDE_SPANS } from '../../src/evidence/span-tree.ts'

function makeTimes(times: Partial<SpanTimes>): SpanTimes {
  return {
    name: 'stage',
    count: 5,
    durationMs: 1000,
    ownCpuMs: 0,
    busyWithOthersMs: 0,
    busyWith: new Map(),
    idleMs: 0,
    isModelCall: false,
    children: [],
    ...times
  }
}

function makeCalls(calls: Partial<ChildTimes>): ChildTimes {
  return {
    name: 'GET',
    kind: SpanKind.CLIENT,
    isStatement: false,
    httpMethod: 'GET',
    perParent: 1,
    coveredMs: 900,
    idleMs: 0,
    ...calls
  }
}

const verdicts: [what: string, times: Partial<SpanTimes>, severities: string[]][] = [
  ['waiting that no span explains', { idleMs: 400 }, ['fault']],
  ['a short wait that no span explains', { idleMs: 40 }, ['info']],
  ['a wait too short to tell', { idleMs: 10 }, []],
  ['one long call, while the loop was busy', { children: [makeCalls({})] }, ['info']],
  ['one long call with nothing else to do', { children: [makeCalls({ idleMs: 800 })] }, ['fault']],
  [
    'a language model',
    { isModelCall: true, children: [makeCalls({ httpMethod: 'POST', idleMs: 800 })] },
    ['info']
  ],
  [
    'what is fetched before a language model is asked',
    { isModelCall: true, children: [makeCalls({ idleMs: 300 })] },
    ['fault']
  ],
  ['a queue for a connection', { children: [makeCalls({ httpMethod: undefined, idleMs: 800 })] }, ['info']],
  ['many calls one after another', { children: [makeCalls({ perParent: 40 })] }, ['fault']],
  ['many calls that take no time', { children: [makeCalls({ perParent: 40, coveredMs: 30 })] }, ['info']],
  [
    'many statements, which are a finding of their own',
    { children: [makeCalls({ perParent: 40, isStatement: true })] },
    ['info']
  ],
  ['a child of our own', { children: [makeCalls({ kind: SpanKind.INTERNAL })] }, []]
]

for (const [what, times, severities] of verdicts) {
  test(`${what}: ${severities[0] ?? 'nothing'}, and never a line`, () => {
    const findings = findWaitingFindings([makeTimes(times)])
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      severities
    )
    for (const { kind, function: fn, file, line } of findings) {
      assert.deepEqual({ kind, fn, file, line }, { kind: 'waiting', fn: null, file: null, line: null })
    }
  })
}

const GROWTH: Growth = {
  attribute: 'tokens',
  exponent: 1.02,
  low: 0.95,
  high: 1.08,
  points: [
    { size: 1241, ms: 1900 },
    { size: 1850, ms: 2800 }
  ],
  slowest: { size: 1850, ms: 2800, ratio: 1.01 }
}

function firstFinding(times: Partial<SpanTimes>): Finding {
  const [finding] = findWaitingFindings([makeTimes(times)])
  assert.ok(finding)
  return finding
}

test('says in words whether so long is normal for such a size', () => {
  const normal = firstFinding({ children: [makeCalls({ growth: GROWTH })] })
  assert.equal(
    normal.evidence.at(-1),
    'grows linearly with tokens: 1,241 take 1.9 s, 1,850 take 2.8 s; the slowest, 2.8 s for 1,850, is what this size costs'
  )
  assert.equal(normal.complexity?.attribute, 'tokens')
  const slowest = { size: 1850, ms: 5600, ratio: 2 }
  const odd = firstFinding({ children: [makeCalls({ growth: { ...GROWTH, slowest } })] })
  assert.match(
    odd.evidence.at(-1) ?? '',
    /the slowest, 5\.6 s for 1,850, is 2\.0 times what this size costs$/
  )
})

test('says nothing about sizes where nothing was fitted', () => {
  const finding = firstFinding({ children: [makeCalls({})] })
  assert.equal(finding.complexity, undefined)
  assert.doesNotMatch(finding.evidence.join(), /grows/)
})

test('a span behind others is told so, and what holds the event loop is named', () => {
  const culprit = { span: OUTSIDE_SPANS, function: 'recount', file: 'src/jobs.ts', line: 7 } as Finding
  const times = makeTimes({ busyWithOthersMs: 600, busyWith: new Map([[OUTSIDE_SPANS, 550]]) })
  const [finding] = findWaitingFindings([times], [culprit])
  assert.equal(finding?.severity, 'info')
  assert.match(
    finding.evidence.at(-1) ?? '',
    /busy with others for 600 ms of it: 550 ms of that with work outside/
  )
  assert.match(finding.suggestion, /recount on src\/jobs\.ts:7/)
  assert.deepEqual([finding.file, finding.line], [null, null])
})

test('a span that stands behind others for a small part of its time is slow for other reasons', () => {
  const times = makeTimes({ busyWithOthersMs: 100, busyWith: new Map([[OUTSIDE_SPANS, 100]]) })
  assert.deepEqual(findWaitingFindings([times]), [])
})
