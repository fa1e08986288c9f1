/** What the colours of a drawing mean. */
import { h } from './dom.js'

/**
 * @param {Record<string, string>} texts by the class of their swatch
 * @param {...Node} rest
 */
export function renderLegend(texts, ...rest) {
  const entries = Object.entries(texts).map(([kind, text]) =>
    h('span', null, h('span', { class: `swatch ${kind}` }), text)
  )
  return h('p', { class: 'legend quiet' }, ...entries, ...rest)
}
