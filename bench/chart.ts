/** Draws bars with their spread as SVG; readable on a light and a dark ground. */
import type { Chart } from './section.ts'

const WIDTH = 760
const LABEL_WIDTH = 240
const VALUE_WIDTH = 80
const ROW_HEIGHT = 26
const BAR_HEIGHT = 14
const HEADER_HEIGHT = 40

export function drawChart({ title, unit, bars }: Chart): string {
  const highest = Math.max(...bars.map(({ high }) => high), Number.MIN_VALUE)
  const lowest = Math.min(...bars.map(({ low }) => low), 0)
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / (highest - lowest)
  const x = (value: number) => round(LABEL_WIDTH + (value - lowest) * scale)
  const rows = bars.map(function drawBar({ label, value, low, high, isOurs }, i) {
    const middle = HEADER_HEIGHT + i * ROW_HEIGHT + ROW_HEIGHT / 2
    const from = Math.min(x(0), x(value))
    return [
      `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escapeText(label)}</text>`,
      `<rect x="${from}" y="${middle - BAR_HEIGHT / 2}" width="${round(Math.abs(x(value) - x(0)))}" height="${BAR_HEIGHT}" fill="${isOurs ? '#2a7de1' : '#8a94a3'}"/>`,
      `<path d="M${x(low)} ${middle}H${x(high)}M${x(low)} ${middle - 4}v8M${x(high)} ${middle - 4}v8" stroke="#5a6472"/>`,
      `<text x="${x(high) + 6}" y="${middle + 4}">${value.toFixed(2)} ${escapeText(unit)}</text>`
    ].join('')
  })
  const height = HEADER_HEIGHT + bars.length * ROW_HEIGHT + 10
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#6b7685">`,
    `<title>${escapeText(title)}</title>`,
    `<text x="12" y="24" font-size="15" font-weight="600">${escapeText(title)} (median, min to max)</text>`,
    ...rows,
    '</svg>\n'
  ].join('\n')
}

function round(value: number): number {
  return Number(value.toFixed(1))
}

function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (each) => `&#${each.charCodeAt(0)};`)
}
