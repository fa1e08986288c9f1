/** `bottleneck_analysis.md`: slowest span, where its time goes, root cause, and what to do. */
import type { Diagnosis, Finding, SpanTimesReport } from './finding.ts'
import { costOf } from './report-text.ts'

export function renderMarkdown(diagnosis: Diagnosis): string {
  const slowest = findSlowestStage(diagnosis)
  const faults = diagnosis.findings.filter(({ severity }) => severity === 'fault')
  const { window } = diagnosis
  return [
    '# Bottleneck analysis',
    '',
    `Diagnosis \`${diagnosis.id}\`: ${window.requests} requests in ${window.seconds} s, ${window.labelled_samples} CPU samples with a span.`,
    `Verdict: **${diagnosis.healthy ? 'healthy' : 'not healthy'}**.`,
    '',
    ...(slowest ? renderSlowest(slowest) : []),
    '## Spans',
    '',
    '| span | count | duration ms | own CPU ms | loop busy with others ms | idle ms |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...diagnosis.spans.map(renderSpanRow),
    '',
    '## Findings',
    '',
    ...(faults.length === 0 ? ['None is a fault.', ''] : faults.flatMap(renderFinding)),
    ...renderInfos(diagnosis.findings)
  ].join('\n')
}

/**
 * The slowest span that is no mere wrapper: most of its time is its own, or its client calls'. The server span
 * is always the longest and says nothing.
 */
function findSlowestStage({ spans, findings }: Diagnosis): SpanTimesReport | undefined {
  const named = new Set(findings.map(({ span }) => span))
  const own = (span: SpanTimesReport) => span.own_cpu_ms + span.idle_ms + span.busy_with_others_ms
  return spans.find(
    (span) => named.has(span.span) && own(span) + waitedFor(span, findings) > span.duration_ms / 2
  )
}

function waitedFor({ span }: SpanTimesReport, findings: Finding[]): number {
  return findings
    .filter((finding) => finding.span === span && finding.kind === 'waiting')
    .reduce((sum, finding) => sum + (finding.cost_ms_per_request ?? 0), 0)
}

function renderSlowest(slowest: SpanTimesReport): string[] {
  const cpu = slowest.own_cpu_ms
  const waiting = slowest.duration_ms - cpu - slowest.busy_with_others_ms
  return [
    '## Slowest span',
    '',
    `\`${slowest.span}\` takes ${slowest.duration_ms} ms: ${cpu} ms CPU of its own, ` +
      `${slowest.busy_with_others_ms} ms while the event loop was busy with other work, ${waiting.toFixed(1)} ms waiting. ` +
      `It is mostly ${cpu > waiting ? 'CPU-bound' : 'waiting'}.`,
    ''
  ]
}

function renderSpanRow(row: SpanTimesReport): string {
  return `| \`${row.span}\` | ${row.count} | ${row.duration_ms} | ${row.own_cpu_ms} | ${row.busy_with_others_ms} | ${row.idle_ms} |`
}

function renderFinding(finding: Finding, index: number): string[] {
  return [
    `### ${index + 1}. ${[`${finding.kind}: \`${finding.span}\``, costOf(finding)].filter(Boolean).join(', ')}`,
    '',
    ...(finding.file === null
      ? []
      : [
          `- Function: \`${finding.function}\``,
          `- Line: \`${finding.file}:${finding.line}\`${finding.line_exact ? '' : ' (not exact)'}`
        ]),
    ...(finding.statement === undefined
      ? []
      : [`- Statement: \`${finding.statement.replace(/\s+/g, ' ').trim()}\``]),
    `- Hypothesis: ${hypothesis(finding)}`,
    `- Suggestion: ${finding.suggestion}`,
    ...finding.evidence.map((text) => `- Evidence: ${text}`),
    '',
    ...renderChain(finding)
  ]
}

function hypothesis({ kind, share_of_span: share, span, complexity }: Finding): string {
  const part = `${Math.round(share * 100)} %`
  if (kind === 'sql') return `${part} of \`${span}\` goes into this statement.`
  if (kind === 'waiting') return `\`${span}\` waits for something that no span explains.`
  const growth = complexity ? `, and it grows like ${complexity.attribute}^${complexity.exponent}` : ''
  return `this line is ${part} of the CPU that \`${span}\` uses itself${growth}.`
}

function renderChain({ chain }: Finding): string[] {
  if (chain.length === 0) return []
  const lines = chain.map(({ file, line, source }) => `${file}:${line}  ${source ?? ''}`)
  return ['```', ...lines, '```', '']
}

function renderInfos(findings: Finding[]): string[] {
  const infos = findings.filter(({ severity }) => severity === 'info')
  if (infos.length === 0) return []
  return [
    '## Not faults',
    '',
    ...infos.map((info) => {
      const place = `${info.kind}: \`${info.span}\`${info.function === null ? '' : ` \`${info.function}\``}`
      return `- ${[place, costOf(info)].filter(Boolean).join(', ')}`
    }),
    ''
  ]
}
