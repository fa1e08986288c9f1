import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Runs a function outside every request. A timer inherits the async context it is set in: without this, the sending
 * of a batch would be charged to the request whose span happened to start it.
 */
export const outsideRequests = AsyncLocalStorage.snapshot()
