/** SQL statements: how often and how long a request runs them, where they are called, and their plans. */
import { call } from './api.js'
import { copyCurl, copyCurls } from './copy-curl.js'
import { byId, empty, fill, h, progress } from './dom.js'
import { clock, count, ms, number, times } from './format.js'
import { showTrace } from './traces.js'

const SHOWN_STATEMENTS = 8
const SHOWN_TRACES = 3

const view = { painted: '', open: new Set() }
/** Issues of a plan that an index may mend. */
const MAY_NEED_INDEX = new Set(['unindexed-scan', 'selective-scan'])

export function startStatementsPanel() {
  fill(byId('statements-tools'), copyCurls(['GET', '/debug/sql']))
  fill(byId('statements-body'), empty('Shown when the service answers.'))
}

/** Painted only when something has changed, so that what was opened stays under the pointer. */
export async function loadStatements() {
  const report = await call('GET', '/debug/sql', { isQuiet: true })
  const text = JSON.stringify(report)
  if (text === view.painted) return
  view.painted = text
  paint(report)
}

function paint({ statements, plans }) {
  if (statements.length === 0) {
    fill(byId('statements-body'), empty('No statement has run since the start: send the sample queries.'))
    return
  }
  const byTime = statements.toSorted((a, b) => b.total_ms - a.total_ms)
  const longest = Math.max(...byTime.map(msPerRequest))
  fill(
    byId('statements-body'),
    h(
      'ol',
      { class: 'statements' },
      ...byTime.slice(0, SHOWN_STATEMENTS).map((each) => renderStatement(each, longest))
    ),
    h(
      'p',
      { class: 'quiet' },
      byTime.length > SHOWN_STATEMENTS &&
        `${count(byTime.length - SHOWN_STATEMENTS, 'statement')} more in /debug/sql. `,
      byTime.some(({ plan }) => plan) ? null : plans.message
    )
  )
}

function msPerRequest({ total_ms, requests }) {
  return total_ms / Math.max(requests, 1)
}

function renderStatement(statement, longest) {
  const perRequest = msPerRequest(statement)
  return h(
    'li',
    null,
    h(
      'p',
      { class: 'statement-facts' },
      h('strong', { class: 'number' }, ms(perRequest)),
      ` a request, called ${times(statement.calls_per_request)}`,
      h(
        'span',
        { class: 'quiet' },
        ` · ${ms(statement.mean_ms)} each, ${ms(statement.max_ms)} at most · ${number(statement.rows_per_call)} rows`,
        statement.errors > 0 && ` · ${count(statement.errors, 'error')}`
      )
    ),
    h('span', { class: 'bar', 'aria-hidden': 'true', vars: { '--length': perRequest / longest } }),
    h(
      'pre',
      { class: 'statement', tabindex: '0', 'aria-label': 'SQL statement' },
      statement.statement.trim()
    ),
    renderCallSite(statement.call_site),
    renderIssues(statement.plan),
    renderPlan(statement),
    renderAdvice(statement),
    renderTraces(statement.trace_ids)
  )
}

function renderCallSite(site) {
  if (!site) return null
  return h(
    'p',
    { class: 'call-site' },
    h('span', { class: 'quiet' }, 'called at '),
    h('strong', { class: 'mono' }, `${site.file}:${site.line}`),
    site.source && h('code', { class: 'quiet' }, site.source.trim())
  )
}

function renderIssues(plan) {
  if (!plan || plan.issues.length === 0) return null
  return h(
    'ul',
    { class: 'issues', 'aria-label': 'What its plan shows' },
    ...plan.issues.map(({ kind, message }) =>
      h('li', null, h('span', { class: 'tag bad' }, kind.replaceAll('-', ' ')), ` ${message}`)
    )
  )
}

function renderPlan({ id, plan }) {
  if (!plan) return null
  return h(
    'details',
    {
      open: view.open.has(id),
      ontoggle: ({ target }) => (target.open ? view.open.add(id) : view.open.delete(id))
    },
    h(
      'summary',
      { 'data-key': `plan ${id}` },
      `Plan of an execution that took ${ms(plan.duration_ms)}, at ${clock(plan.captured_at)}`,
      plan.issues.length === 0 && ': nothing wrong with it'
    ),
    h('pre', { class: 'plan', tabindex: '0', 'aria-label': 'Plan' }, plan.text.join('\n'))
  )
}

function renderAdvice({ id, plan, index_advice: advice }) {
  if (!advice) {
    return plan?.issues.some(({ kind }) => MAY_NEED_INDEX.has(kind)) && renderTryIndex(id)
  }
  return h('p', { class: 'advice' }, advice.message, advice.ddl && h('code', null, advice.ddl))
}

function renderTryIndex(id) {
  const status = h('span', { role: 'status', class: 'quiet' })

  async function tryIndex() {
    fill(status, progress('Trying an index'))
    try {
      await call('POST', '/debug/sql/index-advice', { body: { id } })
      await loadStatements()
    } catch ({ message }) {
      fill(status, message)
    }
  }

  return h(
    'div',
    { class: 'actions' },
    h(
      'button',
      {
        type: 'button',
        'data-key': `index ${id}`,
        title: 'Creates it in a transaction, asks for the plan again, and rolls it back',
        onclick: () => void tryIndex()
      },
      'Would an index help?'
    ),
    copyCurl('POST', '/debug/sql/index-advice', { id }),
    status
  )
}

function renderTraces(traceIds) {
  if (traceIds.length === 0) return null
  return h(
    'p',
    { class: 'quiet' },
    'Traces: ',
    ...traceIds.slice(0, SHOWN_TRACES).flatMap((id) => [
      h(
        'button',
        {
          type: 'button',
          class: 'link mono',
          title: id,
          'aria-label': `Show trace ${id.slice(0, 8)}`,
          onclick: () => void showTrace(id)
        },
        id.slice(0, 8)
      ),
      ' '
    ])
  )
}
