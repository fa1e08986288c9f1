import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { SpanKind } from '@opentelemetry/api'
import { findTokenFindings } from '../../src/diagnosis/token-findings.ts'
import { measureRepeatedTokens } from '../../src/evidence/repeated-tokens.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import type { RecordedSpan } from '../../src/evidence/span-recorder.ts'
import { buildSpanTree } from '../../src/evidence/span-tree.ts'
import { makeSpan } from '../fixtures/spans.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const sources = createSourceTree(ROOT)

interface Call {
  inputTokens: number
  repeatedTokens: number
  ms: number
}

/** A call to a model: its span, and the client span that waits for the answer. */
function makeCall({ inputTokens, repeatedTokens, ms }: Call): RecordedSpan[] {
  const call = makeSpan({
    name: 'chat',
    endMs: ms + 5,
    startStack: `Error\n    at ask (file://${ROOT}/src/app.ts:3:5)`,
    attributes: {
      'gen_ai.usage.input_tokens': inputTokens,
      'llm.repeated_prompt_tokens': repeatedTokens,
      'llm.repeated_prompt_cost_usd': repeatedTokens * 3e-5
    }
  })
  return [call, makeSpan({ name: 'POST', kind: SpanKind.CLIENT, parentSpanId: call.spanId, endMs: ms })]
}

function findingsOf(calls: Call[]) {
  return findTokenFindings(measureRepeatedTokens(buildSpanTree(calls.flatMap(makeCall)), sources), sources)
}

/** Calls whose time goes by their tokens, but for `noiseMs`. */
function makeCalls(count: number, repeatedTokens: number, noiseMs: number): Call[] {
  return Array.from({ length: count }, (_, i) => {
    const inputTokens = 1800 + 20 * i
    return { inputTokens, repeatedTokens, ms: 50 + 1.5 * inputTokens + (i % 2 === 0 ? noiseMs : -noiseMs) }
  })
}

test('half of the input repeated is a fault, with what it costs and where it enters', () => {
  const [finding, ...others] = findingsOf(makeCalls(8, 900, 1))
  assert.deepEqual(others, [])
  assert.equal(finding?.kind, 'tokens')
  assert.equal(finding?.severity, 'fault')
  assert.equal(finding?.tokens_per_request, 900)
  assert.deepEqual(
    [finding?.span, finding?.function, finding?.file, finding?.line],
    ['chat', 'ask', 'src/app.ts', 3]
  )
  assert.ok(Math.abs((finding?.cost_ms_per_request ?? 0) - 1350) < 30, `${finding?.cost_ms_per_request}`)
  assert.match(
    finding?.evidence[0] ?? '',
    /^900 of 1870 input tokens are repeats \(48 %\), on the mean of 8 calls$/
  )
  assert.match(finding?.evidence[1] ?? '', /^the model takes 1\.\d+ ms an input token/)
  assert.match(finding?.evidence[2] ?? '', /^0\.027 USD a request/)
})

test('a time that does not go by the tokens, or few calls, give an upper bound and no cost', () => {
  for (const calls of [
    makeCalls(8, 900, 400),
    makeCalls(4, 900, 0),
    makeCalls(0, 0, 0).concat(...Array(8).fill(makeCalls(1, 900, 0)))
  ]) {
    const [finding] = findingsOf(calls)
    assert.equal(finding?.severity, 'fault')
    assert.equal(finding?.cost_ms_per_request, undefined)
    assert.ok(/^the fastest call took .*: at most /.test(finding?.evidence[1] ?? ''))
  }
})

test('some repeats are worth a mention, a handful is not', () => {
  assert.deepEqual(
    findingsOf(makeCalls(8, 200, 0)).map(({ severity }) => severity),
    ['info']
  )
  assert.deepEqual(findingsOf(makeCalls(8, 40, 0)), [])
  assert.deepEqual(findingsOf(makeCalls(8, 0, 0)), [])
})
