import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diag } from '@opentelemetry/api'
import { pino } from 'pino'
import { logDiagnostics } from '../../src/telemetry/diag-logger.ts'

test('a message that repeats is logged once in 30 s, with the number that were held back', () => {
  const lines: { msg: string; held_back: number }[] = []
  let nowMs = 0
  logDiagnostics(pino({}, { write: (line) => void lines.push(JSON.parse(line)) }), () => nowMs)
  for (let i = 0; i < 100; i++) diag.error('the backend is gone')
  diag.warn('something else')
  diag.debug('not for the log')
  nowMs = 30_001
  diag.error('the backend is gone')
  assert.deepEqual(
    lines.map(({ msg, held_back }) => [msg, held_back]),
    [
      ['telemetry: the backend is gone', 0],
      ['telemetry: something else', 0],
      ['telemetry: the backend is gone', 99]
    ]
  )
})
