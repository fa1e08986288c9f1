/** The flame graph: one span or all, one's own code or all frames, this run, the one before, or the difference. */
import { copyCurls } from './copy-curl.js'
import { byId, empty, fill, h } from './dom.js'
import { drawFlameGraph } from './flame-chart.js'
import { byWallTime, listSpans, toFrames, unite } from './flame-data.js'
import { ms, percent, signedMs } from './format.js'
import { renderLegend } from './legend.js'
import { on, showSpan, state } from './state.js'

const view = { run: 'last', time: 'cpu', isOwnOnly: true, search: '' }
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
  fill(byId('flame-tools'), copyCurls(...listCalls()))
  if (!record) {
    fill(byId('flame-body'), empty('The flame graph is drawn from a diagnosis: run one above.'))
    return
  }
  const details = h('p', { class: 'flame-details mono', role: 'status' })
  const canvas = h('div', { class: 'flame-chart' })
  fill(byId('flame-body'), renderControls(record), details, canvas, renderColours())
  draw(canvas, details)
}

function listCalls() {
  const { record, previous, span } = state
  const filter = span === '' ? '' : `&span=${encodeURIComponent(span)}`
  return [
    ['GET', `/debug/pprof/profile?seconds=10${filter}`],
    ...(record ? [['GET', `/diagnosis/${record.id}`]] : []),
    ...(previous ? [['GET', `/diagnosis/compare?before=${previous.id}&after=${record.id}`]] : [])
  ]
}

function draw(canvas, details) {
  const frames = pickFrames()
  if (frames.total === 0) {
    fill(
      canvas,
      empty(`No CPU sample fell into ${state.span || 'any span'} in this run: it waits, or is too quick.`)
    )
    return
  }
  const rest = describe(frames, frames.total)
  details.textContent = rest
  chart = drawFlameGraph(canvas, frames, {
    isDifference: view.run === 'difference',
    describe: (frame) => describe(frame, frames.total),
    onPoint: (frame) => {
      details.textContent = frame ? describe(frame, frames.total) : rest
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

/** Both runs keep the same files: else what one of them folds away would look like a change. */
function filesOfFindings() {
  const findings = [state.record, state.previous].flatMap((record) => record?.findings ?? [])
  return new Set(findings.flatMap(({ chain }) => chain.map(({ file }) => file)))
}

function framesOf({ flame, window }) {
  return toFrames(view.time === 'wall' ? byWallTime(flame) : flame, {
    requests: window.requests,
    span: state.span,
    ...(view.isOwnOnly ? { keptFiles: filesOfFindings() } : {})
  })
}

function describe(frame, wholeMs) {
  if (frame.before !== undefined) {
    const change = frame.after - frame.before
    return `${frame.name}: ${ms(frame.before)} before, ${ms(frame.after)} now (${signedMs(change)}) per request`
  }
  return `${frame.name}: ${ms(frame.total)} per request (${percent(frame.total / wholeMs)}), ${ms(frame.value)} of that in itself`
}

function renderControls(record) {
  return h(
    'div',
    { class: 'controls' },
    h('label', { for: 'flame-span' }, 'Span'),
    renderSpanSelect(record),
    h('label', { for: 'flame-search' }, 'Search'),
    renderSearch(),
    renderChoice('time', 'Which time', TIMES, TIME_TITLES),
    state.previous && renderChoice('run', 'Which run', RUNS),
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
const TIMES = { cpu: 'CPU', wall: 'Wall' }
const TIME_TITLES = {
  cpu: 'Time a core worked for it',
  wall: 'Time the main thread was held, waits for a core included'
}

function renderChoice(name, legend, texts, titles = {}) {
  return h(
    'fieldset',
    { class: 'choice' },
    h('legend', { class: 'visually-hidden' }, legend),
    ...Object.entries(texts).map(([value, text]) =>
      h(
        'label',
        { title: titles[value] },
        h('input', {
          type: 'radio',
          name: `flame ${name}`,
          value,
          'data-key': `${name} ${value}`,
          checked: view[name] === value,
          onchange: () => {
            view[name] = value
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
