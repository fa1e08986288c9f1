import { performance } from 'node:perf_hooks'
import type { Span } from '@opentelemetry/api'
import type { FaultName, FaultSwitches } from '../faults.ts'
import { traced } from '../telemetry/traced.ts'
import { type Caller, callerAttributes, recordFaults } from './span-facts.ts'
import { takeTurn } from './turn.ts'

export interface StageTime {
  /** The stage's span name. */
  name: string
  duration_ms: number
}

export interface StageRunner {
  /** The stages that are done, in order. */
  readonly times: StageTime[]
  /** Runs one stage in a span of its own, which tells which of `faultNames`, the faults that act in it, are on. */
  run<T>(name: string, faultNames: readonly FaultName[], fn: (span: Span) => T | Promise<T>): Promise<T>
}

/** Runs the stages of one request; none starts once `signal` has aborted. */
export function createStageRunner(
  query: string,
  caller: Caller,
  faults: FaultSwitches,
  signal?: AbortSignal
): StageRunner {
  const times: StageTime[] = []
  const attributes = callerAttributes(query, caller)

  async function run<T>(name: string, faultNames: readonly FaultName[], fn: (span: Span) => T | Promise<T>) {
    await takeTurn()
    // Before the span: one that ends as it begins would tell of a stage that nobody ran.
    signal?.throwIfAborted()
    return traced(name, attributes, async function runStage(span): Promise<T> {
      recordFaults(span, faults, faultNames)
      const startMs = performance.now()
      const result = await fn(span)
      times.push({ name, duration_ms: performance.now() - startMs })
      return result
    })
  }

  return { times, run }
}
