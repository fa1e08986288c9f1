/** Slow code that neither evidence/ nor diagnosis/ has ever heard of, in a service that is not ours. */
import assert from 'node:assert/strict'
import process from 'node:process'
import { after, before, describe, test } from 'node:test'
import { context, SpanKind, trace } from '@opentelemetry/api'
import { diagnose } from '../../src/diagnosis/diagnose.ts'
import type { Diagnosis, Finding } from '../../src/diagnosis/finding.ts'
import { UNRECORDED_SPAN } from '../../src/evidence/profiler.ts'
import { createSourceTree } from '../../src/evidence/source-tree.ts'
import { openEvidenceWindow } from '../../src/evidence/window.ts'
import { readMarkedLines } from '../fixtures/marked-lines.ts'
import { type SlowService, startSlowService } from '../fixtures/slow-service/server.ts'
import { LOST_FRAME_CASES, SLOW_CASES } from '../fixtures/slow-service/slow-code.ts'
import { tracer } from '../fixtures/slow-service/telemetry.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const MIN_CPU_MS = 20
const REQUESTS = 5
/** What one request has to cost for its samples to be enough on any machine: five requests give 40 and more. */
const REQUEST_MS = 80

const sources = createSourceTree(ROOT, ['src/telemetry/context-manager.ts'])
const marked = readMarkedLines(ROOT, 'test/fixtures/slow-service')
let service: SlowService

before(async () => {
  service = await startSlowService()
})

after(() => service.close())

async function send(name: string, size: number): Promise<void> {
  const response = await fetch(`${service.url}/${name}?size=${size}`)
  assert.equal(response.status, 204)
}

/** Machines differ: doubles the size until a request costs enough CPU; the clock says little on a crowded one. */
async function findSize(name: string): Promise<number> {
  for (let size = 2; ; size *= 2) {
    const before = process.threadCpuUsage()
    await send(name, size)
    const { user, system } = process.threadCpuUsage(before)
    if ((user + system) / 1000 >= REQUEST_MS) return size
    assert.ok(size < 2 ** 20, `${name} never takes ${REQUEST_MS} ms`)
  }
}

async function diagnoseRequests(name: string, size: number): Promise<Omit<Diagnosis, 'id'>> {
  const window = openEvidenceWindow()
  for (let i = 0; i < REQUESTS; i++) await send(name, size)
  return diagnose(await window.close(), { sources, minCpuMs: MIN_CPU_MS })
}

function firstFault(diagnosis: Omit<Diagnosis, 'id'>): Finding {
  const fault = diagnosis.findings.find(({ severity }) => severity === 'fault')
  assert.ok(fault, `no fault in ${JSON.stringify(diagnosis, null, 1)}`)
  return fault
}

describe('a service the diagnosis was not made for, at 10 % sampling', () => {
  for (const [name, { functionName }] of Object.entries({ ...SLOW_CASES, ...LOST_FRAME_CASES })) {
    test(`names the line of ${name}`, async () => {
      const diagnosis = await diagnoseRequests(name, await findSize(name))
      const fault = firstFault(diagnosis)
      const expected = marked.get(name)
      assert.ok(expected, `no "hot: ${name}" in the fixture`)
      assert.equal(diagnosis.healthy, false)
      assert.equal(diagnosis.window.requests, REQUESTS)
      assert.deepEqual(
        { kind: fault.kind, span: fault.span, function: fault.function, file: fault.file },
        { kind: 'cpu', span: `shop.${name}`, function: functionName, file: expected.file }
      )
      assert.ok(expected.lines.includes(fault.line ?? 0), `line ${fault.line} is none of ${expected.lines}`)
      if (name in SLOW_CASES) assert.equal(fault.line_exact, true)
      assert.equal(fault.chain.at(-1)?.line, fault.line)
    })
  }

  test('calls a function that only waits waiting, and names no line for it', async () => {
    const diagnosis = await diagnoseRequests('waiting', 8)
    const fault = firstFault(diagnosis)
    assert.deepEqual(
      { kind: fault.kind, span: fault.span, function: fault.function, file: fault.file, line: fault.line },
      { kind: 'waiting', span: 'shop.waiting', function: null, file: null, line: null }
    )
    // A collection, or what Node does between requests, may cost some milliseconds outside of any span.
    assert.deepEqual(
      diagnosis.findings.filter(
        ({ kind, span, severity }) => kind === 'cpu' && (span === 'shop.waiting' || severity === 'fault')
      ),
      []
    )
  })

  test('names the line of a call that holds the thread without computing', async () => {
    const fault = firstFault(await diagnoseRequests('sleeping', 8))
    assert.deepEqual(
      { kind: fault.kind, function: fault.function, file: fault.file, line: fault.line },
      {
        kind: 'cpu',
        function: 'waitForWorker',
        file: marked.get('sleeping')?.file,
        line: marked.get('sleeping')?.lines[0]
      }
    )
    assert.match(fault.suggestion, /blocks the event loop without computing/)
  })

  test('work of a request that began before the window is neither its own nor outside of any', async () => {
    let early = tracer.startSpan('GET /early', { kind: SpanKind.SERVER })
    // One in ten is recorded.
    while (early.isRecording()) early = tracer.startSpan('GET /early', { kind: SpanKind.SERVER })
    const size = await findSize('growing-spread')
    const window = openEvidenceWindow()
    const slow = LOST_FRAME_CASES['growing-spread']
    for (let i = 0; i < REQUESTS; i++)
      context.with(trace.setSpan(context.active(), early), () => slow?.run(size))
    const evidence = await window.close()
    assert.ok(evidence.samples.some(({ spanId }) => spanId === UNRECORDED_SPAN.spanContext().spanId))
    assert.deepEqual(diagnose(evidence, { sources, minCpuMs: MIN_CPU_MS }).findings, [])
  })

  test('calls it healthy where nothing is slow', async () => {
    const diagnosis = await diagnoseRequests('waiting', 1)
    assert.equal(diagnosis.healthy, true, JSON.stringify(diagnosis.findings))
  })
})
