/** The planted faults: what each simulates, where it stands, and its switch. */
import { call } from './api.js'
import { copyCurl, copyCurls } from './copy-curl.js'
import { renderDifference } from './difference.js'
import { byId, empty, fill, h } from './dom.js'
import { findFault, measuredCosts, measuredSwitch } from './fault-effect.js'
import { ms } from './format.js'
import { run } from './run.js'
import { emit, on, state } from './state.js'

let failure = ''

export function startFaultsPanel() {
  fill(byId('faults-tools'), copyCurls(['GET', '/faults'], ['PUT', '/faults', { enabled: false }]))
  on('faults', paint)
  on('record', paint)
  on('run', paint)
  on('leak-check', paint)
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
export function faultOf(finding) {
  return findFault(finding, state.faults)
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
  fill(byId('difference'), renderDifference())
  fill(
    byId('faults-body'),
    failure !== '' && h('p', { class: 'error', role: 'alert' }, failure),
    ...(faults.length === 0
      ? [empty('The switches are shown when the service answers.')]
      : [renderAllSwitches(faults), renderList(faults)]),
    state.hasSwitched && renderNextStep()
  )
}

function renderAllSwitches(faults) {
  const renderAll = (enabled, text) =>
    h(
      'button',
      {
        type: 'button',
        'data-key': `all ${enabled}`,
        disabled: faults.every((fault) => fault.enabled === enabled),
        onclick: () => void change('/faults', enabled)
      },
      text
    )
  return h('div', { class: 'actions' }, renderAll(false, 'All off'), renderAll(true, 'All on'))
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
        { class: 'fault-facts quiet' },
        h('span', { class: 'mono' }, `${fault.file}:${fault.line}`),
        describeEffect(fault)
      )
    ),
    copyCurl('PUT', `/faults/${fault.name}`, { enabled: !fault.enabled })
  )
}

function describeEffect(fault) {
  const switched = measuredSwitch(state)
  if (switched?.name === fault.name) {
    const text = `switching it ${fault.enabled ? 'on' : 'off'} made a request ${ms(Math.abs(switched.changeMs))}`
    return h('span', { class: 'effect' }, `${text} ${switched.changeMs < 0 ? 'faster' : 'slower'}`)
  }
  const costs = measuredCosts(fault, state)
  if (costs.length > 0)
    return h(
      'span',
      { class: 'effect' },
      state.record ? `${costs.join(', ')}, as last measured` : costs.join(', ')
    )
  if (!state.record) return fault.enabled && 'its effect is shown after a run'
  return fault.enabled && 'no finding in the last run: switch it off alone and compare, or check for leaks'
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
