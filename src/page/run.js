/** The one button: sends the sample queries while a diagnosis watches, and tells how far it is. */
import { call } from './api.js'
import { byId, scrollTo } from './dom.js'
import { count } from './format.js'
import { sendQueries } from './load.js'
import { showRecord } from './records.js'
import { emit, on, state } from './state.js'

/** The ceiling of a window; a fault ends it earlier, a healthy service is watched to the end. */
const WINDOW_SECONDS = 10

const progress = { answered: 0, failed: 0, startedAt: 0 }
/** Resolves when the last run's queries are all answered. */
let queriesEnd = Promise.resolve()

export function startRunPanel() {
  byId('run').addEventListener('click', () => void run())
  on('run', paint)
  on('reach', paint)
  on('record', paint)
  paint()
}

/** Never throws: what went wrong stands beside the button. */
export async function run() {
  if (state.isRunning) return
  setRunning(true)
  say('Waiting for the last queries of the run before …')
  // They read the switches as they were: in the next window they would look like its own.
  await queriesEnd
  state.faultsOfRun = state.faults
  Object.assign(progress, { answered: 0, failed: 0, startedAt: performance.now() })
  const timer = setInterval(tick, 250)
  try {
    await showRecord(await diagnoseSampleQueries())
    say(`Done: ${count(progress.answered, 'answer')} in ${elapsedSeconds()} s.`)
    scrollTo(byId('verdict'))
    byId('verdict').focus({ preventScroll: true })
  } catch (error) {
    say(explain(error))
  } finally {
    clearInterval(timer)
    state.faultsOfRun = undefined
    setRunning(false)
  }
}

/** @returns {Promise<string>} the id of the diagnosis */
async function diagnoseSampleQueries() {
  const { queries } = await call('GET', '/page/sample-queries.json')
  let isOver = false
  const diagnosis = call('POST', '/diagnosis', { body: { seconds: WINDOW_SECONDS } }).finally(() => {
    isOver = true
  })
  // A request that came before the window would not count.
  queriesEnd = untilWindowIsOpen(() => isOver)
    .then(() => sendQueries(queries, { isOver: () => isOver, onAnswer }))
    // Those that were under way when the window closed have left their traces by now.
    .then(() => emit('answer'))
  return (await diagnosis).id
}

async function untilWindowIsOpen(isOver) {
  while (!isOver()) {
    const { running } = await call('GET', '/diagnosis', { isQuiet: true }).catch(() => ({ running: false }))
    if (running) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function onAnswer(isOk) {
  progress[isOk ? 'answered' : 'failed'] += 1
}

function explain({ code, message }) {
  if (code === 'DIAGNOSIS_RUNNING') return 'Another diagnosis is running; its verdict will appear here.'
  if (code === 'NO_REQUESTS') return 'No query was answered in time. Is the service busy? Try again.'
  return message
}

function setRunning(isRunning) {
  state.isRunning = isRunning
  emit('run')
}

function tick() {
  const seconds = elapsedSeconds()
  byId('run-progress').value = Math.min(seconds / WINDOW_SECONDS, 1)
  const failed = progress.failed > 0 ? `, ${progress.failed} failed` : ''
  const phase =
    seconds > WINDOW_SECONDS ? 'reading the evidence' : `${seconds} s of at most ${WINDOW_SECONDS} s`
  say(`${count(progress.answered, 'answer')} so far${failed} · ${phase}`)
}

function elapsedSeconds() {
  return Math.round((performance.now() - progress.startedAt) / 1000)
}

/** Stands beside every button that starts a run. A live region announces only a text that differs. */
function say(text) {
  for (const status of document.querySelectorAll('[data-run-status]')) {
    if (status.textContent !== text) status.textContent = text
  }
}

function paint() {
  const button = byId('run')
  button.disabled = !state.isReachable
  button.setAttribute('aria-busy', String(state.isRunning))
  button.textContent = state.isRunning
    ? 'Diagnosing …'
    : state.record
      ? 'Send sample queries and diagnose again'
      : 'Send sample queries and diagnose'
  byId('run-progress').hidden = !state.isRunning
  paintSteps()
}

function paintSteps() {
  const steps = [...byId('steps').children]
  const found = steps.findIndex((step) => step.dataset.step === currentStep())
  const current = found < 0 ? steps.length : found
  for (const [index, step] of steps.entries()) {
    step.classList.toggle('done', index < current)
    if (index === current) step.setAttribute('aria-current', 'step')
    else step.removeAttribute('aria-current')
  }
}

function currentStep() {
  if (state.isRunning) return state.record ? 'compare' : 'send'
  if (!state.record) return 'send'
  if (state.hasSwitched) return 'compare'
  return state.comparison ? 'done' : 'read'
}
