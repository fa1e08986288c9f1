/** A line of megabytes over time, from zero, so that a small wobble does not look like growth. */
import { h, svg } from './dom.js'

const WIDTH = 600
const HEIGHT = 90

/**
 * @param {number[]} points
 * @param {string} label what the line says, for everyone
 */
export function renderPlot(points, label) {
  if (points.length < 2) return null
  const highest = Math.max(...points, 1) * 1.1
  const line = points
    .map((value, index) => {
      const x = (index / (points.length - 1)) * WIDTH
      const y = HEIGHT - (value / highest) * HEIGHT
      return `${x.toFixed(1)},${y.toFixed(1)}`
    })
    .join(' ')
  return h(
    'figure',
    { class: 'plot' },
    svg(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      svg('polyline', { points: line })
    ),
    h('figcaption', { class: 'quiet' }, label)
  )
}
