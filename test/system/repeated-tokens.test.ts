/** Repeats in the prompt, at the default sampling rate: a fault where they are, nothing where they are not. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import exampleData from '../../example_data.json' with { type: 'json' }
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'

const CALL = 'src/pipeline/generate.ts'

/** A window over the sample queries, one after another. */
async function diagnose(url: string): Promise<Diagnosis> {
  const pending = sendJson<Diagnosis>(`${url}/diagnosis`, 'POST', { seconds: 5 })
  let isRunning = false
  while (!isRunning) {
    isRunning = ((await (await fetch(`${url}/diagnosis`)).json()) as { running: boolean }).running
  }
  for (const query of exampleData.sample_queries) await sendJson(`${url}/query`, 'POST', { query })
  const { status, body } = await pending
  assert.equal(status, 200, JSON.stringify(body))
  return body
}

function tokensFinding({ findings }: Diagnosis): Finding | undefined {
  return findings.find(({ kind }) => kind === 'tokens')
}

function lineOfModelCall(): number {
  const lines = readFileSync(path.resolve(import.meta.dirname, '../..', CALL), 'utf8').split('\n')
  return lines.findIndex((line) => line.includes('model.complete(')) + 1
}

test('how many of how many, what they cost, and where they enter; and nothing once they are gone', async () => {
  const { url } = await startServer({ FAULTS: 'redundant-prompt-tokens', SIMULATED_LATENCY_SCALE: '0.05' })
  const repeating = await diagnose(url)
  const finding = tokensFinding(repeating)
  assert.ok(finding, JSON.stringify(repeating.findings))
  assert.equal(repeating.healthy, false)
  assert.equal(finding.severity, 'fault')
  assert.deepEqual([finding.span, finding.file, finding.line], ['openai.generate', CALL, lineOfModelCall()])
  const repeats = finding.tokens_per_request ?? 0
  assert.ok(repeats > 700 && repeats < 1000, `${repeats} tokens`)
  const evidence = finding.evidence.join('\n')
  for (const part of [
    /\d+ of 1[78]\d\d input tokens are repeats/,
    / ms a request for/,
    / USD a request for/
  ]) {
    assert.match(evidence, part)
  }

  await sendJson(`${url}/faults/redundant-prompt-tokens`, 'PUT', { enabled: false })
  assert.equal(tokensFinding(await diagnose(url)), undefined)
})
