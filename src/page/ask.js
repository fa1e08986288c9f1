/** One question, its answer, how long each stage took, and whether the answer helped. */
import { call } from './api.js'
import { copyCurl } from './copy-curl.js'
import { byId, fill, h } from './dom.js'
import { count, ms } from './format.js'
import { emit, showSpan } from './state.js'

const MAX_CHARACTERS = 1000
const EXAMPLE = 'What are the compliance requirements?'

export function startAskPanel() {
  fill(byId('ask-tools'), copyCurl('POST', '/query', { query: EXAMPLE }))
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

async function ask(query, place) {
  fill(place, h('p', { class: 'quiet' }, 'Asking …'))
  try {
    const body = { query, user_id: 'page' }
    const answer = await call('POST', '/query', { body, headers: { 'x-force-sample': '1' }, isTraced: true })
    fill(place, ...renderAnswer(answer))
    emit('answer')
  } catch ({ message }) {
    fill(place, h('p', { class: 'error' }, message))
  }
}

function renderAnswer({ response, stages, sources, usage, trace_id }) {
  return [
    h('blockquote', null, response),
    h(
      'p',
      { class: 'quiet' },
      `From ${count(sources.length, 'document')} in ${count(usage.prompt_tokens, 'token')}: `,
      ...stages.map(({ name, duration_ms }) => [
        h('button', { type: 'button', class: 'link mono', onclick: () => showSpan(name) }, name),
        ` ${ms(duration_ms)}\u2003`
      ])
    ),
    renderVote(trace_id)
  ]
}

function renderVote(traceId) {
  const status = h('span', { role: 'status', class: 'quiet' })
  const vote = (rating, text) =>
    h(
      'button',
      {
        type: 'button',
        'aria-pressed': 'false',
        onclick: ({ currentTarget }) => void send(rating, currentTarget)
      },
      text
    )

  async function send(rating, button) {
    try {
      await call('POST', '/feedback', { body: { trace_id: traceId, rating } })
      for (const each of button.parentElement.querySelectorAll('button')) {
        each.setAttribute('aria-pressed', String(each === button))
      }
      status.textContent = 'Recorded with its trace.'
    } catch ({ code, message }) {
      status.textContent =
        code === 'NOT_FOUND' ? 'This version of the service takes no feedback yet.' : message
    }
  }

  return h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': 'Did it help?' },
    vote('up', 'Helpful'),
    vote('down', 'Not helpful'),
    status
  )
}
