/** Both profilers of a process: samples that know their span, and the lines that go with them. */
import { startLineProfiler, stopLineProfiler } from './line-profiler.ts'
import { startProfiler, stopProfiler } from './profiler.ts'

/** Starts them. Call once, before the code that is to be diagnosed is loaded. */
export function startProfilers(): void {
  startLineProfiler()
  startProfiler()
}

export function stopProfilers(): void {
  stopProfiler()
  stopLineProfiler()
}
