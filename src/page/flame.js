/** The flame graph: one span or all, one's own code or all frames, this run, the one before, or the difference. */
import { copyCurl } from './copy-curl.js'
import { byId, empty, fill, h } from './dom.js'
import { drawFlameGraph } from './flame-chart.js'
import { listSpans, toFrames, unite } from './flame-data.js'
import { ms, percent, signedMs } from './format.js'
import { renderLegend } from './legend.js'
import { on, showSpan, state } from './state.js'

const view = { run: 'last', isOwnOnly: true, search: '' }
let chart

export function startFlamePanel() {
  on('record', () => {
    view.run = 'last'
    if (state.span !== '' && !listSpans(state.record.flame).includes(state.span)) state.span = ''
    paint()
  })
  on('span', paint)
  on('search', (term) => {
    view.search = term ?? ''
    paint()
  })
  new ResizeObserver(resize).observe(byId('flame-body'))
  paint()
}

function paint() {
  const { record } = state
  fill(byId('flame-tools'), record && copyCurl('GET', `/diagnosis/${record.id}`))
  if (!record) {
    fill(byId('flame-body'), empty('The flame graph is drawn from a diagnosis: run one above.'))
    return
  }
  const details = h('p', { class: 'flame-details mono', role: 'status' })
  const canvas = h('div', { class: 'flame-chart' })
  fill(byId('flame-body'), renderControls(record), details, canvas, renderColours())
  draw(canvas, details)
}

function draw(canvas, details) {
  const frames = pickFrames()
  if (frames.totalMs === 0) {
    fill(
      canvas,
      empty(`No CPU sample fell into ${state.span || 'any span'} in this run: it waits, or is too quick.`)
    )
    return
  }
  const rest = describe(frames, frames.totalMs)
  details.textContent = rest
  chart = drawFlameGraph(canvas, frames, {
    isDifference: view.run === 'difference',
    describe: (frame) => describe(frame, frames.totalMs),
    onPoint: (frame) => {
      details.textContent = frame ? describe(frame, frames.totalMs) : rest
    }
  })
  if (view.search !== '') chart.search(view.search)
}

let drawnWidth = 0
function resize([entry]) {
  const width = Math.round(entry.contentRect.width)
  if (width === drawnWidth) return
  drawnWidth = width
  const canvas = document.querySelector('.flame-chart')
  if (canvas) draw(canvas, document.querySelector('.flame-details'))
}

function pickFrames() {
  const { record, previous } = state
  if (view.run === 'before') return framesOf(previous)
  if (view.run === 'last') return framesOf(record)
  return unite(framesOf(previous), framesOf(record))
}

function framesOf({ flame, window, findings }) {
  const files = findings.flatMap(({ chain }) => chain.map(({ file }) => file))
  return toFrames(flame, {
    requests: window.requests,
    span: state.span,
    ...(view.isOwnOnly ? { keptFiles: new Set(files) } : {})
  })
}

function describe(frame, wholeMs) {
  if (frame.beforeMs !== undefined) {
    const change = frame.afterMs - frame.beforeMs
    return `${frame.name}: ${ms(frame.beforeMs)} before, ${ms(frame.afterMs)} now (${signedMs(change)}) per request`
  }
  return `${frame.name}: ${ms(frame.totalMs)} per request (${percent(frame.totalMs / wholeMs)}), ${ms(frame.value)} of it itself`
}

function renderControls(record) {
  return h(
    'div',
    { class: 'controls' },
    h('label', { for: 'flame-span' }, 'Span'),
    renderSpanSelect(record),
    h('label', { for: 'flame-search' }, 'Search'),
    renderSearch(),
    state.previous && renderRunChoice(),
    h(
      'label',
      { class: 'check' },
      h('input', {
        type: 'checkbox',
        'data-key': 'own',
        checked: view.isOwnOnly,
        onchange: ({ target }) => {
          view.isOwnOnly = target.checked
          paint()
        }
      }),
      'Own code only'
    ),
    h('button', { type: 'button', onclick: () => chart?.resetZoom() }, 'Reset zoom')
  )
}

function renderSpanSelect({ flame }) {
  const options = ['', ...listSpans(flame)]
  if (!options.includes(state.span)) options.push(state.span)
  return h(
    'select',
    { id: 'flame-span', 'data-key': 'span', onchange: ({ target }) => showSpan(target.value) },
    ...options.map((span) => h('option', { value: span, selected: span === state.span }, span || 'all spans'))
  )
}

function renderSearch() {
  return h('input', {
    id: 'flame-search',
    type: 'search',
    'data-key': 'search',
    value: view.search,
    placeholder: 'function or file:line',
    oninput: ({ target }) => {
      view.search = target.value
      chart?.search(view.search)
    }
  })
}

const RUNS = { last: 'This run', before: 'Run before', difference: 'Difference' }

function renderRunChoice() {
  return h(
    'fieldset',
    { class: 'choice' },
    h('legend', { class: 'visually-hidden' }, 'Which run'),
    ...Object.entries(RUNS).map(([value, text]) =>
      h(
        'label',
        null,
        h('input', {
          type: 'radio',
          name: 'run',
          value,
          'data-key': `run ${value}`,
          checked: view.run === value,
          onchange: () => {
            view.run = value
            paint()
          }
        }),
        text
      )
    )
  )
}

const RUN_COLOURS = {
  span: 'span',
  own: 'own code',
  hot: 'own code, time of its own',
  library: 'libraries and runtime'
}
const DIFFERENCE_COLOURS = { saved: 'saved', added: 'added', same: 'unchanged' }

function renderColours() {
  return renderLegend(
    view.run === 'difference' ? DIFFERENCE_COLOURS : RUN_COLOURS,
    h('span', { class: 'keys' }, 'Keys: arrows move, Enter zooms, Escape resets')
  )
}
