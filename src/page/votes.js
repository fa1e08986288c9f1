/** What users said of the answers so far, and the way to the traces of those that did not help. */
import { call } from './api.js'
import { byId, fill, h } from './dom.js'
import { count, percent } from './format.js'
import { showTraces } from './traces.js'

export async function loadVotes() {
  const summary = await call('GET', '/feedback', { isQuiet: true })
  fill(byId('votes'), ...(summary.votes === 0 ? [] : renderSummary(summary)))
}

function renderSummary({ votes, down, satisfaction_score, by_category }) {
  const reasons = by_category
    .filter((each) => each.down > 0 && each.category !== null)
    .map((each) => `${each.category} ${each.down}`)
  return [
    h(
      'p',
      { class: 'footnote quiet' },
      `Of ${count(votes, 'vote')} so far ${percent(satisfaction_score)} said helpful. `,
      reasons.length > 0 && `Of the others: ${reasons.join(', ')}. `,
      down > 0 &&
        h(
          'button',
          {
            type: 'button',
            class: 'link',
            'data-key': 'disliked',
            onclick: () => void showTraces('disliked')
          },
          'Show their traces'
        )
    )
  ]
}
