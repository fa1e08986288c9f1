/** Preloaded into a service: tells, when asked over IPC, what objects are left on its heap after garbage collection. */
import process from 'node:process'
import v8 from 'node:v8'
import vm from 'node:vm'
import { readObjectBytes } from '../src/evidence/memory/object-bytes.ts'

export const ASK_HEAP_FLOOR = 'heap floor?'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as (options: object) => Promise<void>

process.on('message', async function answerHeapFloor(message) {
  if (message !== ASK_HEAP_FLOOR) return
  // What the first one finalizes the second one frees.
  for (let i = 0; i < 2; i++) await collect({ type: 'major', execution: 'async' })
  process.send?.({ floorBytes: readObjectBytes() + process.memoryUsage().arrayBuffers })
})
// The listener alone would keep the process from ending.
process.channel?.unref()
