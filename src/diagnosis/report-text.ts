/** A diagnosis for a person at a terminal. */
import { styleText } from 'node:util'
import type { Comparison } from './compare.ts'
import type { Diagnosis, Finding } from './finding.ts'

export interface ReportContext {
  url: string
  /** From the start of the command to the verdict. */
  elapsedS: number
  files: { report: string; flameGraph: string }
}

export function renderText(diagnosis: Diagnosis, { url, elapsedS, files }: ReportContext): string {
  const { window, findings, healthy } = diagnosis
  const faults = findings.filter(({ severity }) => severity === 'fault')
  const infos = findings.filter(({ severity }) => severity === 'info')
  return [
    '',
    `${bold(url)}: ${window.requests} requests in ${window.seconds} s, ${window.labelled_samples} samples with a span`,
    '',
    ...faults.flatMap((finding, index) => [...renderFault(finding, index + 1), '']),
    ...(infos.length > 0 ? [dim('Not faults, but where the rest of the time goes:')] : []),
    ...infos.slice(0, 5).map((finding) => dim(`  ${summarize(finding)}${whatFor(finding)}`)),
    '',
    healthy
      ? styleText('green', 'healthy')
      : styleText('red', `not healthy: ${count(faults.length, 'fault')}`),
    dim(`named after ${elapsedS.toFixed(1)} s · diagnosis ${diagnosis.id}`),
    dim(`written: ${files.report}, ${files.flameGraph}`),
    '',
    `Next: ${nextStep(diagnosis)}`
  ].join('\n')
}

function renderFault(finding: Finding, rank: number): string[] {
  return [
    `${styleText('red', `${rank}.`)} ${bold(summarize(finding))}`,
    ...renderChain(finding),
    ...(finding.statement === undefined ? [] : [`     ${oneLine(finding.statement)}`]),
    ...finding.evidence.map((text) => dim(`   · ${text}`)),
    `   ${finding.suggestion}`
  ]
}

/** Only the last links: the way into the span is the same for every finding of it. */
const SHOWN_LINKS = 4

function renderChain({ chain }: Finding): string[] {
  const shown = chain.slice(-SHOWN_LINKS)
  const places = shown.map(({ file, line }) => `${file}:${line}`)
  const width = Math.max(0, ...places.map((place) => place.length))
  return shown.map(({ source }, index) => {
    const isHot = index === shown.length - 1
    const text = `${places[index]?.padEnd(width)}  ${source ?? ''}`
    return `   ${isHot ? styleText('yellow', `→ ${text}`) : `  ${text}`}`
  })
}

/** @returns e.g. `rag.rerank  sharesWindow  src/pipeline/rerank.ts:45  412 ms CPU per request` */
export function summarize(finding: Finding): string {
  const place =
    finding.file === null
      ? undefined
      : `${finding.file}:${finding.line}${finding.line_exact ? '' : ' (about)'}`
  return [finding.span, finding.function, place, costOf(finding)].filter((part) => part != null).join('  ')
}

function whatFor({ kind, evidence }: Finding): string {
  return kind === 'waiting' ? `: ${evidence.at(-1)}` : ''
}

/** What a request pays for a finding, in the units that were measured; undefined where none was. */
export function costOf(finding: Finding): string | undefined {
  const { kind, cost_ms_per_request: ms, calls_per_request: calls, tokens_per_request: tokens } = finding
  const what = { cpu: ' CPU', waiting: ' waiting', sql: ' in SQL', memory: '', tokens: '' }[kind]
  const parts = [
    ...(calls === undefined ? [] : [`${calls} calls`]),
    ...(tokens === undefined ? [] : [`${tokens} tokens`]),
    ...(ms === undefined ? [] : [`${ms} ms${what}`])
  ]
  return parts.length === 0 ? undefined : `${parts.join(', ')} per request`
}

function nextStep({ id, findings }: Diagnosis): string {
  const fault = findings.find(({ severity }) => severity === 'fault')
  if (!fault) return 'open flamegraph.html to see where the time goes.'
  const place = fault.file === null ? fault.span : `${fault.file}:${fault.line}`
  return `mend ${place}, then  npm run diagnose -- --compare ${id}`
}

export function renderComparison({ findings, spans }: Comparison): string {
  const rows = [
    ...spans.map((row) => [`span ${row.span}`, row.before_ms, row.after_ms, row.change_ms] as const),
    ...findings.map(
      (row) =>
        [
          [row.kind, row.span, row.function].filter(Boolean).join(' '),
          row.before_ms,
          row.after_ms,
          row.change_ms
        ] as const
    )
  ]
  const width = Math.max(...rows.map(([name]) => name.length), 12)
  const header = `${'ms per request'.padEnd(width)}  ${'before'.padStart(9)} ${'after'.padStart(9)} ${'change'.padStart(9)}`
  const lines = rows.map(([name, before, after, change]) => {
    const text = `${name.padEnd(width)}  ${cell(before)} ${cell(after)} ${cell(change)}`
    return change < 0 ? styleText('green', text) : text
  })
  return ['', bold(header), ...lines].join('\n')
}

function cell(ms: number): string {
  return ms.toFixed(1).padStart(9)
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function bold(text: string): string {
  return styleText('bold', text)
}

function dim(text: string): string {
  return styleText('dim', text)
}
