/** Runs in a thread of its own: the main one may be in an endless loop when its parent dies, and would outlive it. */
import process from 'node:process'
import { workerData } from 'node:worker_threads'

const CHECK_EVERY_MS = 500

setInterval(function endWithParent() {
  if (process.ppid !== workerData.parentPid) process.kill(process.pid, 'SIGKILL')
}, CHECK_EVERY_MS)
