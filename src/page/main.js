/** Starts the panels and keeps them up to date without a reload. */
import { call } from './api.js'
import { startAskPanel } from './ask.js'
import { byId, fill, h } from './dom.js'
import { loadFaults, startFaultsPanel } from './faults.js'
import { startFlamePanel } from './flame.js'
import { duration } from './format.js'
import { loadMemory, startMemoryPanel } from './memory.js'
import { showLastRecords, showRecord } from './records.js'
import { startRunPanel } from './run.js'
import { emit, on, state } from './state.js'
import { loadStatements, startStatementsPanel } from './statements.js'
import { loadTelemetry, startTelemetryPanel } from './telemetry.js'
import { loadTraces, startTracesPanel } from './traces.js'
import { startVerdictPanel } from './verdict.js'
import { loadVotes } from './votes.js'

/** Asked without a trace, so that it costs next to nothing. */
const PULSE_MS = 3_000
/** Never while a diagnosis watches: the panels' calls take some of the thread that it measures. */
const PANELS_MS = 15_000

let panelsDueAt = 0
let hasRecords = false

function start() {
  startRunPanel()
  startVerdictPanel()
  startFaultsPanel()
  startFlamePanel()
  startTracesPanel()
  startMemoryPanel()
  startStatementsPanel()
  startTelemetryPanel()
  startAskPanel()
  on('record', () => void refreshPanels())
  on('answer', () => void refreshPanels())
  on('feedback', () => void Promise.allSettled([loadTraces(), loadVotes()]))
  document.addEventListener('visibilitychange', () => void (document.hidden || pulse()))
  void beat()
}

async function beat() {
  if (!document.hidden) await pulse()
  setTimeout(beat, PULSE_MS)
}

async function pulse() {
  const isReachable = await isLive()
  setReachable(isReachable)
  if (!isReachable) return
  // The first calls may ask for the admin token; later ones only use it.
  const answer = await call('GET', '/diagnosis', { isQuiet: hasRecords }).catch(paintRefusal)
  if (answer && !state.isRunning) await followDiagnoses(answer)
  if (Date.now() >= panelsDueAt && !state.isRunning && !answer?.running) await refreshPanels()
}

async function isLive() {
  return fetch('/health/live').then(
    ({ ok }) => ok,
    () => false
  )
}

/** Not by `call`: a database that is down answers 503, and says so in the same shape. */
async function loadService() {
  const response = await fetch('/health')
  paintService(await response.json())
}

/** A diagnosis that someone else started appears here as well. */
async function followDiagnoses({ diagnoses }) {
  const newest = diagnoses[0]
  const isFirst = !hasRecords
  hasRecords = true
  if (newest === undefined || newest.id === state.record?.id) return
  await (isFirst ? showLastRecords(diagnoses) : showRecord(newest.id)).catch(() => {})
}

function paintRefusal({ code, message }) {
  hasRecords = true
  if (code?.startsWith('ADMIN_TOKEN')) {
    byId('run-status').textContent = message
  }
  return undefined
}

async function refreshPanels() {
  panelsDueAt = Date.now() + PANELS_MS
  const config = await call('GET', '/apm/config', { isQuiet: true }).catch(() => undefined)
  // What one panel is refused must not keep the others from being shown.
  await Promise.allSettled([
    loadService(),
    loadFaults(),
    loadTraces(config),
    loadMemory(),
    loadStatements(),
    loadVotes(),
    config && loadTelemetry(config)
  ])
}

function setReachable(isReachable) {
  if (state.isReachable === isReachable) return
  state.isReachable = isReachable
  const outage = byId('outage')
  outage.hidden = isReachable
  fill(outage, ...(isReachable ? [] : renderOutage()))
  document.body.classList.toggle('stale', !isReachable)
  if (isReachable) panelsDueAt = 0
  emit('reach')
}

function renderOutage() {
  return [
    'The service does not answer. Start it with npm start: this page goes on by itself. What you see is from before. ',
    h('button', { type: 'button', onclick: () => void pulse() }, 'Try now')
  ]
}

function paintService({ service, environment, version, uptime_s, database }) {
  byId('service-name').textContent = service
  byId('service-facts').replaceChildren(
    `${version} · ${environment} · up ${duration(uptime_s)} · `,
    database.ok
      ? `${database.engine} PostgreSQL`
      : h('strong', { class: 'error' }, 'the database does not answer')
  )
}

start()
