/** The planted faults: what each simulates, where it stands, and its switch. */
import { call } from './api.js'
import { copyCurl } from './copy-curl.js'
import { renderDifference } from './difference.js'
import { byId, empty, fill, h } from './dom.js'
import { ms } from './format.js'
import { run } from './run.js'
import { emit, on, state } from './state.js'

/** A hot line stands at most so far from its fault's comment: within the innermost hot loop. */
const MAX_LINES_APART = 8

let failure = ''

export function startFaultsPanel() {
  on('faults', paint)
  on('record', paint)
  on('run', paint)
}

export async function loadFaults() {
  const { faults } = await call('GET', '/faults', { isQuiet: true })
  setFaults(faults)
}

/** Painted only when something has changed: a poll must not take anything from under the pointer. */
function setFaults(faults) {
  if (JSON.stringify(faults) === JSON.stringify(state.faults)) return
  state.faults = faults
  emit('faults')
}

/** @returns the planted fault that a finding has found, if it is one */
export function findFault({ file, line }) {
  const distance = (fault) => Math.abs(fault.line - line)
  return state.faults
    .filter((fault) => fault.file === file && distance(fault) <= MAX_LINES_APART)
    .sort((a, b) => distance(a) - distance(b))[0]
}

/** @param {string} place where it stands: one fault has a switch in several places */
export function renderSwitch(fault, place) {
  return h(
    'button',
    {
      type: 'button',
      role: 'switch',
      class: 'switch',
      'aria-checked': String(fault.enabled),
      'data-key': `${place} ${fault.name}`,
      'data-fault': fault.name,
      onclick: () => void change(`/faults/${fault.name}`, !fault.enabled)
    },
    h('span', { class: 'knob', 'aria-hidden': 'true' }),
    h('span', { class: 'mono' }, fault.name),
    h('span', { class: 'switch-state', 'aria-hidden': 'true' }, fault.enabled ? 'on' : 'off')
  )
}

async function change(path, enabled) {
  failure = ''
  try {
    const answer = await call('PUT', path, { body: { enabled } })
    state.hasSwitched = state.record !== undefined
    setFaults(answer.faults ?? state.faults.map((fault) => (fault.name === answer.name ? answer : fault)))
  } catch (error) {
    failure = error.message
    paint()
  }
}

function paint() {
  const { faults } = state
  paintTools(faults)
  fill(byId('difference'), renderDifference())
  fill(
    byId('faults-body'),
    failure !== '' && h('p', { class: 'error', role: 'alert' }, failure),
    faults.length === 0 ? empty('The switches are shown when the service answers.') : renderList(faults),
    state.hasSwitched && renderNextStep()
  )
}

function paintTools(faults) {
  fill(
    byId('faults-tools'),
    ...[false, true].map((enabled) =>
      h(
        'button',
        {
          type: 'button',
          class: 'link',
          'data-key': `all ${enabled}`,
          disabled: faults.every((fault) => fault.enabled === enabled),
          onclick: () => void change('/faults', enabled)
        },
        enabled ? 'All on' : 'All off'
      )
    ),
    copyCurl('PUT', '/faults', { enabled: false })
  )
}

function renderList(faults) {
  return h('ul', { class: 'faults' }, ...faults.map(renderFault))
}

function renderFault(fault) {
  return h(
    'li',
    null,
    renderSwitch(fault, 'list'),
    h(
      'div',
      null,
      h('p', null, `Simulates ${fault.simulates}.`),
      h(
        'p',
        { class: 'quiet' },
        h('span', { class: 'mono' }, `${fault.file}:${fault.line}`),
        costInLastRun(fault)
      )
    )
  )
}

function costInLastRun(fault) {
  const found = state.record?.findings.filter(
    (finding) => finding.severity === 'fault' && findFault(finding)?.name === fault.name
  )
  const costMs = found?.reduce((sum, { cost_ms_per_request }) => sum + (cost_ms_per_request ?? 0), 0) ?? 0
  if (costMs > 0) return h('span', { class: 'effect' }, ` · ${ms(costMs)} per request in the last run`)
  return state.record && fault.enabled && ' · nothing found in the last run'
}

function renderNextStep() {
  return h(
    'p',
    { class: 'next' },
    h(
      'button',
      {
        type: 'button',
        class: 'primary',
        'data-key': 'rerun',
        disabled: state.isRunning,
        onclick: () => void run()
      },
      state.isRunning ? 'Diagnosing …' : 'Run again and compare'
    ),
    h('span', { class: 'quiet', 'data-run-status': true }, 'The switches have changed since the last run.')
  )
}
