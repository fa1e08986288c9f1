/** Which diagnosis is on the page, and which one it is compared with. */
import { call } from './api.js'
import { emit, state } from './state.js'

/** Puts a diagnosis on the page; the one that was there becomes the run before. */
export async function showRecord(id) {
  if (state.record?.id === id) return
  const record = await call('GET', `/diagnosis/${id}`)
  await setRecords(record, state.record)
}

/** After a reload: the last two that the service keeps. */
export async function showLastRecords([last, before]) {
  const [record, previous] = await Promise.all(
    [last, before].map((each) => each && call('GET', `/diagnosis/${each.id}`))
  )
  await setRecords(record, previous)
}

async function setRecords(record, previous) {
  const comparison = previous && (await compare(previous.id, record.id))
  const [faultsBefore, faultsAfter] = [state.faultsAfter, state.faultsOfRun]
  Object.assign(state, { record, previous: comparison && previous, comparison, hasSwitched: false })
  Object.assign(state, { faultsBefore, faultsAfter })
  emit('record')
}

/** The one before may be gone: the service keeps the last twenty, until it is restarted. */
async function compare(before, after) {
  try {
    return await call('GET', `/diagnosis/compare?before=${before}&after=${after}`)
  } catch (error) {
    if (error.status === 404) return undefined
    throw error
  }
}
