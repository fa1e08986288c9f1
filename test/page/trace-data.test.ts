import assert from 'node:assert/strict'
import { test } from 'node:test'

// The page's modules are JavaScript for the browser: without types here.
const { toWaterfall } = await import(new URL('../../src/page/trace-data.js', import.meta.url).href)

interface Row {
  name: string
  depth: number
  totalMs: number
  parts: { offsetMs: number; lengthMs: number }[]
  isSlowest: boolean
  isError: boolean
}

let nextId = 0
function span(name: string, parent: string | null, startMs: number, durationMs: number, kind = 'internal') {
  return {
    span_id: `${name}-${nextId++}`,
    parent_span_id: parent,
    name,
    kind,
    start_time: new Date(1_800_000_000_000 + startMs).toISOString(),
    duration_ms: durationMs,
    status: 'ok'
  }
}

const root = { ...span('POST /query', 'elsewhere', 0, 100, 'server'), span_id: 'root' }
const retrieve = { ...span('rag.retrieve', 'root', 0, 30), span_id: 'retrieve' }
const generate = { ...span('openai.generate', 'root', 30, 70), span_id: 'generate' }
const selects = Array.from({ length: 5 }, (_, i) => span('SELECT', 'retrieve', i * 5, 4, 'client'))
const call = span('POST', 'generate', 31, 68, 'client')

test('rows follow the calls; many siblings of one name share a row', () => {
  const { durationMs, rows } = toWaterfall([root, retrieve, generate, ...selects, call]) as {
    durationMs: number
    rows: Row[]
  }
  assert.equal(durationMs, 100)
  assert.deepEqual(
    rows.map(({ name, depth }) => [name, depth]),
    [
      ['POST /query', 0],
      ['rag.retrieve', 1],
      ['SELECT', 2],
      ['openai.generate', 1],
      ['POST', 2]
    ]
  )
  const group = rows[2] as Row
  assert.equal(group.totalMs, 20)
  assert.deepEqual(
    group.parts.map(({ offsetMs }) => offsetMs),
    [0, 5, 10, 15, 20]
  )
})

test('the slowest is the stage that no other stage explains, not the root and not its client call', () => {
  const { rows } = toWaterfall([root, retrieve, generate, ...selects, call]) as { rows: Row[] }
  assert.deepEqual(
    rows.filter(({ isSlowest }) => isSlowest).map(({ name }) => name),
    ['openai.generate']
  )
})
