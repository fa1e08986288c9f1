import { HttpError } from '../errors.ts'
import { areProfilersRunning } from '../evidence/profilers.ts'

/** @throws HttpError where there is no profiler that a window could be cut out of */
export function refuseWithoutProfiler(): void {
  if (areProfilersRunning()) return
  throw new HttpError(
    409,
    'PROFILER_OFF',
    'The profiler does not run: start the service with TRACING_ENABLED=true and PROFILER_ENABLED=true. Where it was ' +
      'stopped because telemetry cost too much (GET /apm/metrics says so), it is off until a restart: docs/failures.md tells why.'
  )
}
