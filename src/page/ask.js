/** One question, its answer, what it took and cost, and whether it helped. */
import { call } from './api.js'
import { copyCurls } from './copy-curl.js'
import { byId, fill, h, progress } from './dom.js'
import { count, ms, usd } from './format.js'
import { emit, showSpan } from './state.js'
import { showTrace } from './traces.js'
import { renderVote } from './vote.js'

const MAX_CHARACTERS = 1000
const EXAMPLE = 'What are the compliance requirements?'
let asked = 0

export function startAskPanel() {
  fill(
    byId('ask-tools'),
    copyCurls(
      ['POST', '/query', { query: EXAMPLE }],
      ['POST', '/feedback', { trace_id: '<trace_id of an answer>', rating: 'up' }],
      ['GET', '/feedback']
    )
  )
  const input = h('input', { id: 'ask-input', value: EXAMPLE, maxlength: MAX_CHARACTERS, required: true })
  const answer = h('div', { class: 'answer', 'aria-live': 'polite' })
  const form = h(
    'form',
    {
      class: 'ask',
      onsubmit: (event) => {
        event.preventDefault()
        void ask(input.value, answer)
      }
    },
    h('label', { for: 'ask-input' }, 'Question'),
    input,
    h('button', { type: 'submit' }, 'Ask')
  )
  fill(byId('ask-body'), form, answer)
}

/** Only the last question's answer is shown, whichever comes last. */
async function ask(query, place) {
  const turn = ++asked
  fill(place, h('p', { class: 'quiet' }, 'Asking …'), progress('Waiting for the answer'))
  let shown
  try {
    const body = { query, user_id: 'page' }
    const answer = await call('POST', '/query', { body, headers: { 'x-force-sample': '1' }, isTraced: true })
    shown = renderAnswer(answer)
    emit('answer')
  } catch ({ message }) {
    shown = [h('p', { class: 'error' }, message)]
  }
  if (turn === asked) fill(place, ...shown)
}

function renderAnswer({ response, stages, sources, usage, trace_id }) {
  const cost = usage.cost_usd === null ? '' : `, ${usd(usage.cost_usd)}`
  return [
    h('blockquote', null, response),
    h(
      'p',
      { class: 'quiet' },
      `From ${count(sources.length, 'document')} in ${count(usage.prompt_tokens, 'token')}${cost}. `,
      h(
        'button',
        { type: 'button', class: 'link', onclick: () => void showTrace(trace_id) },
        'Show its trace'
      )
    ),
    h('ul', { class: 'stages', 'aria-label': 'Stages' }, ...stages.map(renderStage)),
    renderVote(trace_id)
  ]
}

function renderStage({ name, duration_ms }) {
  return h(
    'li',
    null,
    h('button', { type: 'button', class: 'link mono', onclick: () => showSpan(name) }, name),
    h('span', { class: 'number' }, ` ${ms(duration_ms)}`)
  )
}
