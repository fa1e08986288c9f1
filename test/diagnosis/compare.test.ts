import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareDiagnoses } from '../../src/diagnosis/compare.ts'
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'

function makeFinding(finding: Partial<Finding>): Finding {
  return {
    kind: 'cpu',
    severity: 'fault',
    span: 'stage',
    function: 'work',
    file: 'src/work.ts',
    line: 10,
    line_exact: true,
    chain: [],
    share_of_span: 1,
    samples: 50,
    evidence: [],
    suggestion: '',
    ...finding
  }
}

function makeDiagnosis(id: string, findings: Finding[], durationMs: number): Diagnosis {
  return {
    id,
    findings,
    healthy: findings.length === 0,
    window: {
      seconds: 1,
      requests: 5,
      finished_requests: 5,
      labelled_samples: 50,
      samples: 100,
      dropped_spans: 0,
      pause_ms: 1
    },
    spans: [
      {
        span: 'stage',
        count: 5,
        duration_ms: durationMs,
        own_cpu_ms: durationMs,
        busy_with_others_ms: 0,
        idle_ms: 0,
        children: []
      }
    ]
  }
}

test('compares by function and file: a line that moved is the same place', () => {
  const before = makeDiagnosis('before', [makeFinding({ line: 10, cost_ms_per_request: 400 })], 420)
  const after = makeDiagnosis('after', [makeFinding({ line: 14, cost_ms_per_request: 25 })], 45)
  assert.deepEqual(compareDiagnoses(before, after), {
    before: { id: 'before', healthy: false },
    after: { id: 'after', healthy: false },
    findings: [
      {
        kind: 'cpu',
        span: 'stage',
        function: 'work',
        file: 'src/work.ts',
        before_ms: 400,
        after_ms: 25,
        change_ms: -375
      }
    ],
    spans: [{ span: 'stage', before_ms: 420, after_ms: 45, change_ms: -375 }]
  })
})

test('what is gone counts as 0, what is new as well, the largest change first', () => {
  const gone = makeFinding({ function: 'gone', cost_ms_per_request: 100 })
  const fresh = makeFinding({ function: 'fresh', cost_ms_per_request: 300 })
  const { findings } = compareDiagnoses(makeDiagnosis('a', [gone], 1), makeDiagnosis('b', [fresh], 1))
  assert.deepEqual(
    findings.map((row) => [row.function, row.before_ms, row.after_ms]),
    [
      ['fresh', 0, 300],
      ['gone', 100, 0]
    ]
  )
})
