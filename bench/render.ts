/** The results as a person reads them at a terminal. */
import type { SectionResult, Table, Target } from './section.ts'

export function renderSection({ title, tables, targets, notes }: SectionResult): string {
  return [
    `\n${title}\n${'='.repeat(title.length)}`,
    ...tables.map(renderTable),
    ...(targets.length === 0 ? [] : [targets.map(renderTarget).join('\n')]),
    ...(notes.length === 0 ? [] : [notes.map((note) => `  ${note}`).join('\n')])
  ].join('\n\n')
}

function renderTable({ columns, rows }: Table): string {
  const lines = [columns, ...rows].map((row) => row.map(String))
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

function renderTarget({ promise, measured, isMet }: Target): string {
  return `  ${isMet ? 'kept  ' : 'MISSED'}  ${promise}: ${measured}`
}
