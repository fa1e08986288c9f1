import assert from 'node:assert/strict'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { before, test } from 'node:test'
import { openLineCapture, readCallerLines, readPositionTicks } from '../../src/evidence/line-profiler.ts'
import {
  chargeToProfiler,
  readProfilerCpuMs,
  reportProfilerOverhead
} from '../../src/evidence/profiler-overhead.ts'
import { startProfilers } from '../../src/evidence/profilers.ts'

function burn(ms: number): void {
  const endAt = performance.now() + ms
  while (performance.now() < endAt) Math.sqrt(endAt)
}

const onLinux = { skip: process.platform !== 'linux' && 'only Linux tells the CPU time of threads' }

before(startProfilers)

test('the overhead holds what is charged to the profiler, and leaves out the program itself', onLinux, () => {
  burn(500)
  const idle = reportProfilerOverhead()
  assert.ok(idle.pctOfCore !== null && idle.pctOfCore > 0 && idle.pctOfCore < 50, `${idle.pctOfCore} %`)
  const before = process.threadCpuUsage()
  chargeToProfiler(() => burn(500))
  const { user } = process.threadCpuUsage(before)
  const { pctOfCore = 0, measuredMs } = reportProfilerOverhead()
  const chargedMs = ((pctOfCore ?? 0) * measuredMs - (idle.pctOfCore ?? 0) * idle.measuredMs) / 100
  assert.ok(chargedMs > (0.9 * user) / 1000, `${chargedMs} ms of ${user / 1000}`)
})

test("a window's sampling thread takes nothing of the overhead with it when it ends", onLinux, () => {
  openLineCapture()
  burn(500)
  const duringMs = readProfilerCpuMs()
  readCallerLines(true)
  readPositionTicks(true)
  assert.ok(readProfilerCpuMs() >= duringMs)
})
