import { type Context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { runWithLabel } from '../evidence/profiler.ts'

/** Tells the CPU profiler which span is active, wherever OpenTelemetry changes it. */
export class ProfiledContextManager extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    // Also without a span: a connection that is opened outside any request must not carry the label of the one
    // that happened to need it.
    function runLabelled(): ReturnType<F> {
      return runWithLabel(trace.getSpan(context), () => fn.apply(thisArg as ThisParameterType<F>, args))
    }
    return super.with(context, runLabelled)
  }
}
