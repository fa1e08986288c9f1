/** Whether windows of evidence may be opened; shut while the telemetry costs too much. */

export class WindowsShutError extends Error {
  readonly statusCode = 503
  readonly code = 'OVERHEAD_LIMIT'
  readonly retryAfterS: number
  constructor(retryAfterS: number) {
    super('Telemetry costs too much of a core to open a window on top of it.')
    this.retryAfterS = retryAfterS
  }
}

/** The soonest at which it can be open again. */
const RETRY_AFTER_S = 30

class WindowGate {
  #shutting: PromiseWithResolvers<void> | undefined = Promise.withResolvers<void>()

  get isShut(): boolean {
    return this.#shutting === undefined
  }

  /** From now on no window opens, and whoever waits in `untilShut` goes on. */
  shut(): void {
    this.#shutting?.resolve()
    this.#shutting = undefined
  }

  open(): void {
    this.#shutting ??= Promise.withResolvers<void>()
  }

  /** Resolves when it is shut, which ends an open window early; at once where it is shut already. */
  async untilShut(): Promise<void> {
    await this.#shutting?.promise
  }

  /** @throws WindowsShutError */
  pass(): void {
    if (this.isShut) throw new WindowsShutError(RETRY_AFTER_S)
  }
}

export const windowGate = new WindowGate()
