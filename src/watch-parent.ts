import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/**
 * Ends this process when its parent is gone, also in the midst of a long computation, where no `disconnect` is heard.
 * @param parentPid as the parent gave it: one that dies while this process starts has no id to be asked for any more
 * @returns once the watch runs
 */
export async function watchParent(parentPid: number): Promise<void> {
  const watchdog = new Worker(new URL('./parent-watchdog.ts', import.meta.url), { workerData: { parentPid } })
  watchdog.unref()
  await once(watchdog, 'online')
}
