/** A trace's spans as rows of a waterfall. Pure: no document, no network. */

/** More siblings of one name than this share a row. */
const MAX_SINGLE_SIBLINGS = 3

/**
 * @param {object[]} spans as GET /traces/:trace_id answers them
 * @returns {{ startMs: number, durationMs: number, rows: object[] }} rows in order of the calls, each with `depth`,
 *   `name`, `label`, `parts` (offset and length in ms), `totalMs`, `spans`, `isError` and `isSlowest`
 */
export function toWaterfall(spans) {
  const ids = new Set(spans.map(({ span_id }) => span_id))
  const childrenOf = Map.groupBy(spans, ({ parent_span_id }) =>
    ids.has(parent_span_id) ? parent_span_id : null
  )
  const startMs = Math.min(...spans.map(startOf))
  const endMs = Math.max(...spans.map(endOf))
  const rows = []

  function addRows(siblings, depth) {
    const byName = Map.groupBy(siblings, ({ name }) => name)
    const added = new Set()
    for (const span of siblings) {
      const same = byName.get(span.name)
      const isGroup = same.length > MAX_SINGLE_SIBLINGS
      if (isGroup && added.has(span.name)) continue
      added.add(span.name)
      rows.push(toRow(isGroup ? same : [span], depth, startMs))
      if (!isGroup) addRows(childrenOf.get(span.span_id) ?? [], depth + 1)
    }
  }

  addRows(childrenOf.get(null) ?? [], 0)
  const slowest = findSlowest(spans, childrenOf)
  for (const row of rows) row.isSlowest = row.spans.includes(slowest)
  return { startMs, durationMs: Math.max(endMs - startMs, 0.001), rows }
}

function toRow(spans, depth, startMs) {
  return {
    depth,
    name: spans[0].name,
    label: labelOf(spans),
    kind: spans[0].kind,
    spans,
    parts: spans.map((span) => ({ offsetMs: startOf(span) - startMs, lengthMs: span.duration_ms })),
    totalMs: spans.reduce((sum, span) => sum + span.duration_ms, 0),
    isError: spans.some(({ status }) => status === 'error')
  }
}

/** A call to another service is named by its method alone: its path tells more. */
function labelOf([{ name, kind, attributes }, ...others]) {
  const url = kind === 'client' ? attributes?.['url.full'] : undefined
  const label = url !== undefined && URL.canParse(url) ? `${name} ${new URL(url).pathname}` : name
  return others.length > 0 ? `${label} × ${others.length + 1}` : label
}

/** The span with the most time that no other span inside the service explains; waiting for a client call is its own. */
function findSlowest(spans, childrenOf) {
  const own = (span) => {
    const inner = (childrenOf.get(span.span_id) ?? []).filter(({ kind }) => kind !== 'client')
    return span.duration_ms - coveredMs(inner)
  }
  return spans.filter(({ kind }) => kind !== 'client').toSorted((a, b) => own(b) - own(a))[0]
}

/** Time covered by at least one of the spans. */
function coveredMs(spans) {
  let covered = 0
  let end = Number.NEGATIVE_INFINITY
  for (const span of spans.toSorted((a, b) => startOf(a) - startOf(b))) {
    covered += Math.max(endOf(span) - Math.max(startOf(span), end), 0)
    end = Math.max(end, endOf(span))
  }
  return covered
}

function startOf({ start_time }) {
  return Date.parse(start_time)
}

function endOf(span) {
  return startOf(span) + span.duration_ms
}
