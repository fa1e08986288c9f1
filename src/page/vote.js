/** Whether an answer helped, and with what it did not. */
import { call } from './api.js'
import { fill, h } from './dom.js'
import { emit } from './state.js'

/** The service's own list: another word is refused. */
const CATEGORIES = {
  incorrect: 'It is wrong',
  irrelevant: 'It answers something else',
  incomplete: 'Something is missing',
  outdated: 'It is out of date',
  hallucination: 'It is made up',
  unclear: 'It is hard to understand',
  slow: 'It took too long',
  other: 'Something else'
}

/** @param {string} traceId of the answer. A second vote replaces the first, so each click is sent at once. */
export function renderVote(traceId) {
  const status = h('span', { role: 'status', class: 'quiet' })
  const reason = h('div', { class: 'reason' })

  async function send(vote, text) {
    try {
      await call('POST', '/feedback', { body: { trace_id: traceId, ...vote } })
      status.textContent = text
      emit('feedback')
      return true
    } catch ({ message }) {
      status.textContent = message
      return false
    }
  }

  async function rate(rating, button) {
    if (!(await send({ rating }, 'Recorded with its trace. Thank you.'))) return
    for (const each of button.parentElement.querySelectorAll('[aria-pressed]')) {
      each.setAttribute('aria-pressed', String(each === button))
    }
    fill(reason, rating === 'down' && renderReason(send))
  }

  const renderThumb = (rating, sign, text) =>
    h(
      'button',
      {
        type: 'button',
        'aria-pressed': 'false',
        onclick: ({ currentTarget }) => void rate(rating, currentTarget)
      },
      h('span', { 'aria-hidden': 'true' }, `${sign} `),
      text
    )

  return h(
    'div',
    { class: 'vote' },
    h(
      'div',
      { class: 'actions', role: 'group', 'aria-label': 'Did the answer help?' },
      renderThumb('up', '↑', 'Helpful'),
      renderThumb('down', '↓', 'Not helpful'),
      status
    ),
    reason
  )
}

function renderReason(send) {
  return h(
    'label',
    null,
    'What was wrong with it?',
    h(
      'select',
      {
        onchange: ({ target }) =>
          target.value !== '' &&
          void send({ rating: 'down', category: target.value }, 'Recorded with the reason. Thank you.')
      },
      h('option', { value: '' }, 'Choose …'),
      ...Object.entries(CATEGORIES).map(([value, text]) => h('option', { value }, text))
    )
  )
}
