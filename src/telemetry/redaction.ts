import type { Attributes } from '@opentelemetry/api'
import type { Span, SpanProcessor } from '@opentelemetry/sdk-trace'

const REDACTED = '[REDACTED]'

/** A whole word of a name: `token` and `x-api-key`, but not `prompt_tokens`. */
const sensitiveName =
  /(?:^|[^a-z])(?:password|api[^a-z]?key|token|secret|ssn|credit[^a-z]?card|authorization)(?:$|[^a-z])/

function isSensitive(name: string): boolean {
  // accessToken is access_token.
  return sensitiveName.test(name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase())
}

/** Names of attributes, of which there are few: looking at each again took 50 us of a sampled request. */
const knownAttributes = new Map<string, boolean>()
const MAX_KNOWN_ATTRIBUTES = 500

function isSensitiveAttribute(name: string): boolean {
  const known = knownAttributes.get(name)
  if (known !== undefined) return known
  const sensitive = isSensitive(name)
  if (knownAttributes.size < MAX_KNOWN_ATTRIBUTES) knownAttributes.set(name, sensitive)
  return sensitive
}

/**
 * A name and its value. Tried only where a name begins: tried at each of its letters as well, a caller's 15 KB without
 * any "=" held everything up for 190 ms.
 */
const QUERY_PAIR = /(?<=^|[?&=#\s])([^?&=#\s]+)=([^&#\s]*)/g

/** The query string of `url` (a whole address, a path, or a bare query) without the values of sensitive names. */
export function redactUrl(url: string): string {
  return url.replace(QUERY_PAIR, function redactPair(pair, name: string) {
    return isSensitive(name) ? `${name}=${REDACTED}` : pair
  })
}

/** An address of a backend, as people may see it: without the user and the password that it may hold. */
export function redactAddress(address: string): string {
  return address.replace(/\/\/[^/@]*@/, '//')
}

const urlAttributes = ['url.full', 'url.query', 'http.url', 'http.target']

function redactAttributes(attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (isSensitiveAttribute(name)) attributes[name] = REDACTED
    else if (typeof value === 'string' && urlAttributes.includes(name)) attributes[name] = redactUrl(value)
  }
}

/** Takes secrets out of a span's attributes and events before any other processor sees it ended. */
export const redactionProcessor: SpanProcessor = {
  onStart() {},
  onEnding(span: Span) {
    redactAttributes(span.attributes)
    for (const event of span.events) if (event.attributes) redactAttributes(event.attributes)
  },
  onEnd() {},
  async forceFlush() {},
  async shutdown() {}
}
