/** What Datadog calls the things that OpenTelemetry's semantic conventions name. */
import { type Attributes, SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'

type Tags = Record<string, unknown>

/** Names that Datadog's pages search by, beside the OpenTelemetry names that every span keeps. */
const tagNames: Record<string, string> = {
  'http.request.method': 'http.method',
  'http.response.status_code': 'http.status_code',
  'url.full': 'http.url',
  'db.query.text': 'sql.query',
  'db.system.name': 'db.type'
}

/** The operation: few different names, the same for every span of a kind. */
export function operationName({ kind, name, attributes }: ReadableSpan): string {
  if (kind === SpanKind.SERVER) return 'http.server.request'
  if (kind !== SpanKind.CLIENT) return name
  if (isSql(attributes)) return 'postgresql.query'
  return isHttp(attributes) ? 'http.client.request' : name
}

/** Tags that have to be there from the start: the profiler looks for the request a sample belongs to by them. */
export function startTags(span: ReadableSpan): Tags {
  const type = spanType(span)
  return {
    'span.kind': SpanKind[span.kind].toLowerCase(),
    ...(type === undefined ? {} : { 'span.type': type })
  }
}

/** Everything that is known of a span once it has ended. */
export function endTags(span: ReadableSpan): Tags {
  const { attributes } = span
  const tags: Tags = { ...attributes, 'resource.name': resourceName(span) }
  for (const [name, tagName] of Object.entries(tagNames)) {
    if (attributes[name] !== undefined) tags[tagName] = attributes[name]
  }
  return { ...tags, ...errorTags(span) }
}

function spanType({ kind, attributes }: ReadableSpan): string | undefined {
  if (kind === SpanKind.SERVER) return 'web'
  if (kind !== SpanKind.CLIENT) return undefined
  if (isSql(attributes)) return 'sql'
  return isHttp(attributes) ? 'http' : undefined
}

function resourceName({ kind, name, attributes }: ReadableSpan): string {
  const method = attributes['http.request.method']
  const route = attributes['http.route']
  if (kind === SpanKind.SERVER && route !== undefined) return `${method} ${route}`
  const statement = attributes['db.query.text']
  // On one line, as Datadog lists it.
  return typeof statement === 'string' ? statement.replace(/\s+/g, ' ').trim() : name
}

function errorTags({ status, events }: ReadableSpan): Tags {
  if (status.code !== SpanStatusCode.ERROR) return {}
  const exception = events.find(({ name }) => name === 'exception')?.attributes ?? {}
  return {
    error: true,
    'error.type': exception['exception.type'],
    'error.message': exception['exception.message'] ?? status.message,
    'error.stack': exception['exception.stacktrace']
  }
}

function isSql(attributes: Attributes): boolean {
  return attributes['db.system.name'] !== undefined || attributes['db.system'] !== undefined
}

function isHttp(attributes: Attributes): boolean {
  return attributes['http.request.method'] !== undefined
}
