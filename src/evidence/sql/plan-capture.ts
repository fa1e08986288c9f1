/**
 * The plans of a window's statements, as the database tells them (auto_explain) in notices: of each statement the
 * slowest execution. What is kept here stays in memory until the next window opens: the plan as it came, and the
 * values of that execution, which trying an index needs. Neither leaves the process.
 */
import type { Span } from '@opentelemetry/api'
import { normalizeSql } from './normalize.ts'

const MAX_STATEMENTS = 100
/** A join of a dozen tables is 30 KB. */
const MAX_PLAN_LENGTH = 200_000
/** As many may be under way at once; older ones have had their plan. */
const MAX_CALLS = 200
/** Larger values are not kept: the statement's index cannot be tried then. */
const MAX_VALUES_LENGTH = 10_000

const NOTICE = /^duration: ([\d.]+) ms\s+plan:\s*(\{[\s\S]*)$/
const QUERY_TEXT = /"Query Text":\s*("(?:[^"\\]|\\.)*")/
const COMMENT = /traceparent='00-([0-9a-f]{32})-([0-9a-f]{16})-/

/** One execution, runnable again. */
export interface StatementCall {
  text: string
  values: unknown[]
}

export interface CapturedPlan {
  /** Normalised. */
  statement: string
  /** By the database's clock. */
  durationMs: number
  capturedAtMs: number
  /** Of the span of this execution; null where its statement could carry no comment, as prepared ones. */
  traceId: string | null
  spanId: string | null
  /** JSON as the database wrote it, values included. */
  json: string
}

interface KeptPlan extends CapturedPlan {
  call: StatementCall | undefined
}

class PlanCapture {
  readonly #plans = new Map<string, KeptPlan>()
  readonly #calls = new Map<string, StatementCall>()
  #isOpen = false
  #obstacle: string | null = null
  #opened = 0
  /** Plans that were larger, or more, than are kept. */
  dropped = 0

  /** True while connections should tell their plans. */
  get isTaking(): boolean {
    return this.#isOpen && this.#obstacle === null
  }

  /** How many windows there were. */
  get windows(): number {
    return this.#opened
  }

  /** Why the last window has no plans; null where nothing was in the way. */
  get obstacle(): string | null {
    return this.#obstacle
  }

  open(): void {
    this.#plans.clear()
    this.#obstacle = null
    this.dropped = 0
    this.#opened += 1
    this.#isOpen = true
  }

  /** @returns the plans of the window, which stay to be looked up */
  close(): CapturedPlan[] {
    this.#isOpen = false
    this.#calls.clear()
    return [...this.#plans.values()].map(({ call: _, ...plan }) => plan)
  }

  /** The database would not tell its plans: no connection needs to ask again in this window. */
  giveUp(reason: string): void {
    this.#obstacle = reason
  }

  /** Called when a statement is sent. */
  noteCall(span: Span, text: string, values: unknown[] = []): void {
    if (!this.isTaking || measure(values) > MAX_VALUES_LENGTH) return
    this.#calls.set(span.spanContext().spanId, { text, values })
    const [oldest] = this.#calls.keys()
    if (this.#calls.size > MAX_CALLS && oldest !== undefined) this.#calls.delete(oldest)
  }

  /** Takes any notice of a connection; what is no plan is left alone. */
  takeNotice(message: string): void {
    const [, duration, json] = NOTICE.exec(message) ?? []
    const quoted = json && QUERY_TEXT.exec(json)?.[1]
    if (!this.#isOpen || !json || !quoted) return
    const text = JSON.parse(quoted) as string
    const statement = normalizeSql(text)
    const durationMs = Number(duration)
    const slowest = this.#plans.get(statement)
    if (slowest && slowest.durationMs >= durationMs) return
    if (json.length > MAX_PLAN_LENGTH || (!slowest && this.#plans.size >= MAX_STATEMENTS)) {
      this.dropped += 1
      return
    }
    const [, traceId = null, spanId = null] = COMMENT.exec(text) ?? []
    const call = this.#findCall(spanId, statement)
    this.#plans.set(statement, {
      statement,
      durationMs,
      capturedAtMs: Date.now(),
      traceId,
      spanId,
      json,
      call
    })
  }

  find(statement: string): KeptPlan | undefined {
    return this.#plans.get(statement)
  }

  #findCall(spanId: string | null, statement: string): StatementCall | undefined {
    if (spanId !== null) return this.#calls.get(spanId)
    return [...this.#calls.values()].find(({ text }) => normalizeSql(text) === statement)
  }
}

function measure(values: unknown[]): number {
  return values.reduce<number>((sum, value) => {
    if (typeof value === 'string' || value instanceof Uint8Array) return sum + value.length
    return sum + (typeof value === 'object' && value !== null ? JSON.stringify(value).length : 8)
  }, 0)
}

export const planCapture = new PlanCapture()
