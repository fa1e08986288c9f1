import { context, propagation, type Span } from '@opentelemetry/api'
import type { Instrumentation } from '@opentelemetry/instrumentation'
import {
  PgInstrumentation,
  type PgInstrumentationConfig,
  type PgRequestHookInformation,
  type PgResponseHookInformation
} from '@opentelemetry/instrumentation-pg'
import { UndiciInstrumentation, type UndiciRequest } from '@opentelemetry/instrumentation-undici'
import { ATTR_DB_QUERY_TEXT } from '@opentelemetry/semantic-conventions'
import { spanRecorder } from '../evidence/span-recorder.ts'
import { normalizeSql } from '../evidence/sql/normalize.ts'
import { planCapture } from '../evidence/sql/plan-capture.ts'
import { ROWS_ATTRIBUTE, statementLog } from '../evidence/sql/statement-log.ts'
import { findUnrecordedSpan } from './unrecorded.ts'

/** Values that a caller wrote into its SQL are left out: they are as secret as parameters. */
function noteStatement(span: Span, { query }: PgRequestHookInformation): void {
  if (!span.isRecording()) return
  const statement = normalizeSql(query.text)
  span.setAttribute(ATTR_DB_QUERY_TEXT, statement)
  spanRecorder.noteStatement(span, statement)
  statementLog.noteCall(span, query.text)
  planCapture.noteCall(span, query.text, query.values)
}

function setRowCount(span: Span, { data }: PgResponseHookInformation): void {
  if (data.rowCount !== null) span.setAttribute(ROWS_ATTRIBUTE, data.rowCount)
}

type Method = (this: unknown, ...args: unknown[]) => unknown

/**
 * Leaves pg alone within a request that nobody records: spans that are thrown away, and what goes with them, took 60 of
 * the 200 us that all spans add to such a request. The comment that joins a plan to its span is sent only while plans
 * are taken.
 */
class FrugalPgInstrumentation extends PgInstrumentation {
  constructor(config: PgInstrumentationConfig) {
    super(config)
    const wrap = this._wrap
    this._wrap = (nodule, name, instrument) =>
      wrap(nodule, name, (original, ...rest) => unlessUnrecorded(original, instrument(original, ...rest)))
  }

  override getConfig() {
    const config = super.getConfig()
    return planCapture.isTaking ? { ...config, addSqlCommenterCommentToQueries: true } : config
  }
}

function unlessUnrecorded<T>(original: T, instrumented: T): T {
  function choose(this: unknown, ...args: unknown[]): unknown {
    const method = findUnrecordedSpan() === undefined ? instrumented : original
    return Reflect.apply(method as Method, this, args)
  }
  return choose as T
}

const addHeader = {
  set: (request: UndiciRequest, name: string, value: string) => request.addHeader(name, value)
}

/** Whoever is called learns the trace all the same, and that it is not sampled. @returns whether there is no span to make */
function propagateOnly(request: UndiciRequest): boolean {
  if (findUnrecordedSpan() === undefined) return false
  propagation.inject(context.active(), request, addHeader)
  return true
}

/** Spans for SQL and for calls to the model. The spans of requests that come in are made in request-spans.ts. */
export function createInstrumentations(): Instrumentation[] {
  return [
    // Without a parent: the pool's own connections and the seed, thousands of traces of one span.
    new FrugalPgInstrumentation({
      requireParentSpan: true,
      requestHook: noteStatement,
      responseHook: setRowCount
    }),
    new UndiciInstrumentation({ requireParentforSpans: true, ignoreRequestHook: propagateOnly })
  ]
}
