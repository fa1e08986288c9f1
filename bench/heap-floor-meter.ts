/**
 * Preloaded into a service: tells, when asked over IPC, what is left on its heap after garbage collection. Machine code
 * and bytecode are left out: they grow for minutes while functions are optimized, whatever the program keeps.
 */
import process from 'node:process'
import v8 from 'node:v8'
import vm from 'node:vm'

export const ASK_HEAP_FLOOR = 'heap floor?'

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as (options: object) => Promise<void>

process.on('message', async function answerHeapFloor(message) {
  if (message !== ASK_HEAP_FLOOR) return
  // What the first one finalizes the second one frees.
  for (let i = 0; i < 2; i++) await collect({ type: 'major', execution: 'async' })
  const objects = v8.getHeapSpaceStatistics().filter((space) => !/code|trusted/.test(space.space_name))
  const objectBytes = objects.reduce((sum, { space_used_size }) => sum + space_used_size, 0)
  process.send?.({ floorBytes: objectBytes + process.memoryUsage().arrayBuffers })
})
// The listener alone would keep the process from ending.
process.channel?.unref()
