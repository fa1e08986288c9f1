import { DiagLogLevel, diag } from '@opentelemetry/api'
import type { Logger } from 'pino'

const QUIET_MS = 30_000

/**
 * Sends OpenTelemetry's own warnings and errors to the log. Without this a dead backend is silent; without the
 * limit it would fill the log: each message at most once in 30 s, with the number that were held back.
 */
export function logDiagnostics(logger: Logger, now: () => number = Date.now): void {
  const lastLogged = new Map<string, { atMs: number; heldBack: number }>()

  function logLimited(level: 'warn' | 'error', message: string): void {
    // Span ids and counters make every message new; its beginning tells what kind it is.
    const kind = message.slice(0, 40)
    const last = lastLogged.get(kind)
    if (last !== undefined && now() - last.atMs < QUIET_MS) {
      last.heldBack += 1
      return
    }
    lastLogged.set(kind, { atMs: now(), heldBack: 0 })
    logger[level]({ held_back: last?.heldBack ?? 0 }, `telemetry: ${message}`)
  }

  const ignore = () => {}
  diag.setLogger(
    {
      error: (message) => logLimited('error', message),
      warn: (message) => logLimited('warn', message),
      info: ignore,
      debug: ignore,
      verbose: ignore
    },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true }
  )
}
