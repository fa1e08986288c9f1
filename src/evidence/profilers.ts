/** The profilers of a process: CPU samples that know their span, the lines that go with them, and the heap. */
import { startHeapProfiler, stopHeapProfiler } from './heap-profiler.ts'
import { isLineProfilerStarted, startLineProfiler, stopLineProfiler } from './line-profiler.ts'
import { isProfilerStarted, startProfiler, stopProfiler } from './profiler.ts'
import { startOverheadWatch, stopOverheadWatch } from './profiler-overhead.ts'

/** Starts them, but for what runs already for Datadog. Call once, before the code that is to be diagnosed is loaded. */
export function startProfilers(): void {
  startLineProfiler()
  if (!isProfilerStarted()) startProfiler()
  startHeapProfiler()
  startOverheadWatch()
}

/** True where a window would have samples and lines. */
export function areProfilersRunning(): boolean {
  return isProfilerStarted() && isLineProfilerStarted()
}

/** For good: started again in the same process they would not know the functions that are optimized by then. */
export function stopProfilers(): void {
  stopOverheadWatch()
  stopHeapProfiler()
  stopProfiler()
  stopLineProfiler()
}
