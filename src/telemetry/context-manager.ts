import { type Context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { setProfilerContext } from '../evidence/profiler.ts'

/** Tells the CPU profiler which span is active, wherever OpenTelemetry changes it. */
export class ProfiledContextManager extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const span = trace.getSpan(context)
    if (span === undefined) return super.with(context, fn, thisArg, ...args)
    // Outside this callback the label would land in the caller's async context and stay there.
    function runLabelled(): ReturnType<F> {
      setProfilerContext(span as object)
      return fn.apply(thisArg as ThisParameterType<F>, args)
    }
    return super.with(context, runLabelled)
  }
}
