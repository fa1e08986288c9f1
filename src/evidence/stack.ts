/** Takes V8 stack texts, of which a call site is read later. */

/** Deep enough to get from an instrumented driver up to the code that called it. */
const STACK_DEPTH = 40

/** @returns the stack of whoever called this */
export function captureStack(): string {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = STACK_DEPTH
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder, captureStack)
  Error.stackTraceLimit = limit
  return holder.stack ?? ''
}
