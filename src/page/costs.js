/** What the answers cost: per query, by plan, and with a cheaper model. */
import { h } from './dom.js'
import { percent, usd } from './format.js'

/** @param {object} costs what GET /costs answered */
export function renderCosts({ queries, cost_usd, by_plan, cheaper_model }) {
  if (queries === 0 || cost_usd === null) return null
  return h(
    'figure',
    { class: 'costs' },
    h(
      'figcaption',
      null,
      `What ${queries === 1 ? 'one query' : `${queries.toLocaleString('en')} queries`} cost`
    ),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Costs by plan' },
      h(
        'table',
        null,
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            h('th', { scope: 'col' }, 'Plan'),
            ...['Queries', 'Tokens in', 'Tokens out', 'A query', 'In all'].map((text) =>
              h('th', { scope: 'col', class: 'number' }, text)
            )
          )
        ),
        h('tbody', null, ...by_plan.map(renderPlan))
      )
    ),
    cheaper_model &&
      h(
        'p',
        { class: 'footnote quiet' },
        `With ${cheaper_model.model} the same tokens would have cost ${usd(cheaper_model.cost_usd)}: ` +
          `${percent(cheaper_model.saved_pct / 100)} less.`
      )
  )
}

function renderPlan({ plan, queries, prompt_tokens, completion_tokens, cost_usd, cost_usd_per_query }) {
  const cells = [
    queries.toLocaleString('en'),
    prompt_tokens.toLocaleString('en'),
    completion_tokens.toLocaleString('en'),
    cost_usd_per_query === null ? 'unknown' : usd(cost_usd_per_query),
    cost_usd === null ? 'unknown' : usd(cost_usd)
  ]
  return h(
    'tr',
    null,
    h('th', { scope: 'row' }, plan),
    ...cells.map((text) => h('td', { class: 'number' }, text))
  )
}
