/** The thread of `watchParent`: the main one may be inside a long computation when the parent dies. */
import process from 'node:process'
import { workerData } from 'node:worker_threads'

const CHECK_EVERY_MS = 500

setInterval(function endWithParent() {
  if (process.ppid !== workerData.parentPid) process.kill(process.pid, 'SIGKILL')
}, CHECK_EVERY_MS)
