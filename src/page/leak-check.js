/** What a leak check found: the verdict, the variable, the line, and the proof. */
import { h } from './dom.js'
import { renderFacts } from './facts.js'
import { parsePlace } from './fault-effect.js'
import { faultOf, renderSwitch } from './faults.js'
import { count, mb, number, size } from './format.js'
import { renderPlot } from './plot.js'

const CONCLUSIONS = {
  leak: 'It leaks.',
  bounded: 'No leak: something fills up, and stops.',
  clean: 'No leak.',
  inconclusive: 'The check could not tell.'
}
const SHOWN_TYPES = 3

/** @param {object} check what POST /memory/leak-check answered */
export function renderLeakCheck(check) {
  const { history_mb, iterations_run } = check
  return h(
    'article',
    { class: `check-result ${check.verdict}`, 'aria-label': 'Leak check' },
    h('p', { class: 'conclusion small' }, CONCLUSIONS[check.verdict] ?? check.verdict),
    h('p', { class: 'quiet' }, check.reason),
    check.leak_detected && renderFacts(collectFacts(check)),
    check.proof && h('p', null, describeProof(check.proof)),
    renderPlot({
      x: history_mb.map((_, index) => (index / (history_mb.length - 1)) * iterations_run),
      isTime: false,
      series: [{ kind: 'heap', text: 'heap', values: history_mb }],
      caption: `Heap and external memory over ${count(iterations_run, 'iteration')}, after each collection`
    }),
    h(
      'p',
      { class: 'footnote quiet' },
      `Judged: ${check.judged}. It took ${number(check.cost.duration_ms / 1000)} s in a process of its own.`
    ),
    renderFaultSwitch(check)
  )
}

function collectFacts(check) {
  const types = check.growing_types.slice(0, SHOWN_TYPES).map(({ type }) => type)
  return {
    'Kept by': check.retained_by ?? 'unknown',
    'Put there by': check.allocated_at ?? 'unknown',
    'Each query': size(check.growth_bytes_per_iteration),
    ...(types.length > 0 ? { 'What grows': types.join(', ') } : {})
  }
}

function describeProof({ cleared, freed_mb, predicted_mb, ratio }) {
  return (
    `Proof: emptying ${cleared} gave back ${mb(freed_mb)}; its growth predicts ${mb(predicted_mb)} ` +
    `(${ratio.toFixed(2)} of it).`
  )
}

function renderFaultSwitch({ allocated_at }) {
  const place = parsePlace(allocated_at)
  const fault = place && faultOf(place)
  return fault && h('footer', { class: 'actions' }, renderSwitch(fault, 'leak'))
}
