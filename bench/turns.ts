/** Services that are compared live through all rounds, warm, each paused while another has its turn. */
import { sendUnpaced } from './paced-load.ts'
import type { ServiceProcess } from './service-process.ts'

/** Until the code that a request runs is optimized: after 1,500 a request still became cheaper from turn to turn. */
export const WARM_UP_REQUESTS = 3000
/** After its pause: what waited meanwhile, timers and a cold cache, is not what is measured. */
const SETTLING_REQUESTS = 20
const CONNECTIONS = 2

/** Leaves the service paused. */
export async function warmUp(service: ServiceProcess): Promise<void> {
  await sendUnpaced(service.url, { connections: CONNECTIONS, requests: WARM_UP_REQUESTS })
  service.pause()
}

/** Runs `measure` while the service runs, settled. @returns what it returned */
export async function takeTurn<T>(service: ServiceProcess, measure: () => Promise<T>): Promise<T> {
  service.resume()
  await sendUnpaced(service.url, { connections: CONNECTIONS, requests: SETTLING_REQUESTS })
  const measured = await measure()
  service.pause()
  return measured
}
