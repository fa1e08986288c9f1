import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listMemoryAlerts } from '../../src/evidence/memory-alerts.ts'
import { listSpanGrowths, noteSpanGrowth, readAllocatedBytes } from '../../src/evidence/span-growth.ts'
import { traced } from '../../src/telemetry/traced.ts'

const MB = 2 ** 20
const quiet = {
  growth: { estimate: 2 * MB, low: 1 * MB, high: 3 * MB, reliable: true, spanMs: 600_000 },
  currentBytes: 80 * MB,
  heapLimitBytes: 100 * MB
}

test('a heap that is neither full nor growing raises none', () => {
  assert.deepEqual(listMemoryAlerts(quiet, []), [])
})

test('a growth is one only where all of its interval is', () => {
  const growth = { estimate: 100 * MB, low: 80 * MB, high: 120 * MB, reliable: true, spanMs: 600_000 }
  assert.match(listMemoryAlerts({ ...quiet, growth }, [])[0] ?? '', /at least 80 MB an hour/)
  for (const uncertain of [{ low: 9 * MB }, { reliable: false }]) {
    assert.deepEqual(listMemoryAlerts({ ...quiet, growth: { ...growth, ...uncertain } }, []), [])
  }
})

test('a heap near its limit says how near', () => {
  assert.match(
    listMemoryAlerts({ ...quiet, currentBytes: 91 * MB }, [])[0] ?? '',
    /at 91 % of its limit of 100 MB/
  )
})

test('a span in which memory rises by more than 100 MB is named, for ten minutes', async () => {
  const hoard: Buffer[] = []
  await traced('small', {}, async () => void hoard.push(Buffer.alloc(MB)))
  await traced('large', {}, async () => void hoard.push(Buffer.alloc(110 * MB)))
  const spans = listSpanGrowths()
  assert.deepEqual(
    spans.map(({ span }) => span),
    ['large']
  )
  assert.match(listMemoryAlerts(quiet, spans)[0] ?? '', /rose by 1\d\d MB within one large span/)
  assert.deepEqual(listSpanGrowths(Date.now() + 11 * 60_000), [])
  assert.equal(hoard.length, 2)
})

test('a span that frees memory is none', () => {
  noteSpanGrowth('frees', readAllocatedBytes() + 200 * MB)
  assert.ok(listSpanGrowths().every(({ span }) => span !== 'frees'))
})
