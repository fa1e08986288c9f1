/** What is alive on the heap, by the code that allocated it: the service's own heap profile as a flame graph. */
import { call } from './api.js'
import { byId, empty, fill, h, progress } from './dom.js'
import { drawFlameGraph } from './flame-chart.js'
import { toFrame } from './flame-data.js'
import { percent, size } from './format.js'
import { foldByPackage } from './heap-data.js'

export async function showHeap() {
  const place = byId('memory-heap')
  fill(place, progress('Reading the heap profile'))
  try {
    const tree = await call('GET', '/debug/heap-flame-graph')
    paint(place, toFrame(foldByPackage(tree, 'everything alive'), 1))
  } catch ({ message }) {
    fill(place, h('p', { class: 'error' }, message))
  }
}

function paint(place, frames) {
  if (frames.total === 0) {
    fill(
      place,
      empty('Nothing was sampled yet: one allocation in about 1 MB is. Send queries, and look again.')
    )
    return
  }
  const describe = ({ name, total, value }) =>
    `${name}: ${size(total)} (${percent(total / frames.total)}), ${size(value)} of that in itself`
  const details = h('p', { class: 'flame-details mono', role: 'status' }, describe(frames))
  const canvas = h('div', { class: 'flame-chart' })
  fill(
    place,
    h('h3', null, 'What is alive, by the code that allocated it'),
    h(
      'p',
      { class: 'footnote quiet' },
      'Sampled once in about 1 MB: the shares are right, small things are missing. Own code with its lines; for others’ code the package.'
    ),
    details,
    canvas
  )
  drawFlameGraph(canvas, frames, {
    isDifference: false,
    describe,
    onPoint: (frame) => {
      details.textContent = describe(frame ?? frames)
    }
  })
}
