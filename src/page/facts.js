/** Names with their values, as a list that wraps. */
import { h } from './dom.js'

/** @param {Record<string, string>} facts */
export function renderFacts(facts) {
  return h(
    'dl',
    { class: 'facts' },
    ...Object.entries(facts).map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value)))
  )
}
