import { type Context, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { type ProfiledSpan, runWithLabel, UNRECORDED_SPAN } from '../evidence/profiler.ts'

/** Tells the CPU profiler which span is active, wherever OpenTelemetry changes it. */
export class ProfiledContextManager extends AsyncLocalStorageContextManager {
  override with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const label = findLabel(context)
    // Where the label stays the same, as within an unsampled request, a second async context for it would cost as
    // much as the first.
    if (label === findLabel(this.active())) return super.with(context, fn, thisArg, ...args)
    // Also without a span: a connection that is opened outside any request must not carry the label of the one
    // that happened to need it.
    function runLabelled(): ReturnType<F> {
      return runWithLabel(label, () => fn.apply(thisArg as ThisParameterType<F>, args))
    }
    return super.with(context, runLabelled)
  }
}

/** Undefined outside of any request, so that work for nobody is told from work for a request nobody records. */
function findLabel(context: Context): ProfiledSpan | undefined {
  const span: ProfiledSpan | undefined = trace.getSpan(context)
  return span !== undefined && span.name === undefined ? UNRECORDED_SPAN : span
}
