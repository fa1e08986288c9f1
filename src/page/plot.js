/** Megabytes over time or over iterations, drawn by uPlot from zero, so that a small wobble does not look like growth. */
import { h } from './dom.js'
import { number } from './format.js'
import { renderLegend } from './legend.js'

const HEIGHT_PX = 150
const MAX_DOTS = 12
/** As wide as a time of day. */
const TICK_SPACE_PX = 84
const AXIS_PX = { x: 26, y: 60 }

/**
 * @param {{ x: number[], isTime: boolean, series: { kind: string, text: string, values: (number | null)[] }[],
 *   caption: string }} options `x` in seconds since 1970 where `isTime`; `kind` is the class that colours a series;
 *   `caption` says what the lines say, for everyone
 * @returns {HTMLElement | null} null where there is nothing to draw a line through
 */
export function renderPlot({ x, isTime, series, caption }) {
  if (x.length < 2) return null
  const canvas = h('div', { class: 'plot-canvas', 'aria-hidden': 'true' })
  const figure = h(
    'figure',
    { class: 'plot' },
    canvas,
    h('figcaption', { class: 'quiet' }, caption),
    series.length > 1 && renderLegend(Object.fromEntries(series.map(({ kind, text }) => [kind, text])))
  )
  drawWhenShown(canvas, { x, isTime, series })
  return figure
}

/** uPlot needs a width, which an element has once it stands in the page; and its colours when the theme changes. */
function drawWhenShown(canvas, options) {
  let plot
  const themes = matchMedia('(prefers-color-scheme: dark)')
  const redraw = () => plot?.redraw(false)
  const observer = new ResizeObserver(([{ contentRect }]) => {
    if (!canvas.isConnected) {
      observer.disconnect()
      themes.removeEventListener('change', redraw)
      plot?.destroy()
    } else if (plot) plot.setSize({ width: contentRect.width, height: HEIGHT_PX })
    else plot = draw(canvas, options, contentRect.width)
  })
  observer.observe(canvas)
  themes.addEventListener('change', redraw)
}

function draw(canvas, { x, isTime, series }, width) {
  const colour = (name) => () => getComputedStyle(canvas).getPropertyValue(`--plot-${name}`)
  const axis = { stroke: colour('text'), grid: { stroke: colour('grid') }, ticks: { show: false } }
  return new globalThis.uPlot(
    {
      width,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: isTime }, y: { range: (_plot, _low, high) => [0, Math.max(high, 1) * 1.1] } },
      axes: [
        {
          ...axis,
          size: AXIS_PX.x,
          space: TICK_SPACE_PX,
          grid: { show: false },
          values: isTime ? clockTicks : undefined
        },
        { ...axis, size: AXIS_PX.y, values: (_plot, ticks) => ticks.map((tick) => `${number(tick)} MB`) }
      ],
      series: [
        {},
        ...series.map(({ kind, text, values }) => ({
          label: text,
          stroke: colour(kind),
          width: 2,
          spanGaps: true,
          // Of few points the line between them would be lost, or all there is.
          points: {
            show: values.filter((value) => value !== null).length <= MAX_DOTS,
            size: 6,
            fill: colour(kind)
          }
        }))
      ]
    },
    [x, ...series.map(({ values }) => values)],
    canvas
  )
}

function clockTicks(_plot, ticks) {
  return ticks.map((seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB'))
}
