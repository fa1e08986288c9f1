import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { findWaitingFindings } from '../../src/diagnosis/waiting-findings.ts'
import type { ChildTimes, SpanTimes } from '../../src/evidence/span-times.ts'

function makeTimes(times: Partial<SpanTimes>): SpanTimes {
  return {
    name: 'stage',
    count: 5,
    durationMs: 1000,
    ownCpuMs: 0,
    busyWithOthersMs: 0,
    idleMs: 0,
    children: [],
    ...times
  }
}

function makeCalls(calls: Partial<ChildTimes>): ChildTimes {
  return { name: 'GET', kind: SpanKind.CLIENT, isStatement: false, perParent: 1, coveredMs: 900, ...calls }
}

const verdicts: [what: string, times: Partial<SpanTimes>, severities: string[]][] = [
  ['waiting that no span explains', { idleMs: 400 }, ['fault']],
  ['a short wait that no span explains', { idleMs: 40 }, ['info']],
  ['a wait too short to tell', { idleMs: 10 }, []],
  ['one long call', { children: [makeCalls({})] }, ['info']],
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
