/** What concludes must not know what it concludes about. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { spanRecorder } from '../../src/evidence/span-recorder.ts'
import { FAULT_NAMES } from '../../src/faults.ts'
import { tracer } from '../fixtures/slow-service/telemetry.ts'

const SRC = new URL('../../src/', import.meta.url).pathname

const GENERAL = ['evidence', 'diagnosis']

function sourceFiles(): string[] {
  return GENERAL.flatMap((folder) =>
    readdirSync(path.join(SRC, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`)
  )
}

test('nothing under evidence/ or diagnosis/ names a fault, a stage, or a file of the pipeline', () => {
  const stages = ['rag.retrieve', 'rag.rerank', 'rag.cache', 'openai.generate']
  const forbidden = [...FAULT_NAMES, ...stages, 'pipeline/', 'feature_flag']
  const files = sourceFiles()
  assert.ok(files.length > 10)
  for (const file of files) {
    const code = readFileSync(path.join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    for (const name of forbidden) assert.ok(!code.includes(name), `${file} knows ${name}`)
  }
})

test('a recorded span has lost its events: a feature_flag event cannot reach a verdict', () => {
  spanRecorder.open()
  tracer.startActiveSpan('request', (span) => {
    trace.getActiveSpan()?.addEvent('feature_flag.evaluation', { 'feature_flag.key': 'some-fault' })
    span.end()
  })
  const [recorded] = spanRecorder.close()
  assert.equal(recorded?.name, 'request')
  assert.doesNotMatch(JSON.stringify(recorded), /feature_flag|some-fault/)
})
