/**
 * Preloaded with `--import`: what must be in place before any other module is loaded. In this order: the
 * settings, the hook that lets libraries be instrumented, the profilers, Datadog's tracer, OpenTelemetry.
 */
import process from 'node:process'
import { register } from 'import-in-the-middle/register-hooks.mjs'
import { ConfigError, keepDatadogFromWrapping, loadConfig } from '../config.ts'
import { startProfilers } from '../evidence/profilers.ts'
import type { Datadog } from './datadog.ts'
import { logDiagnostics } from './diag-logger.ts'
import { createLogger } from './logger.ts'
import { startTelemetry } from './telemetry.ts'
import type { RateChange } from './traffic-rate.ts'

function loadConfigOrExit(): ReturnType<typeof loadConfig> {
  try {
    return loadConfig()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\nSee .env.example for every setting.\n`)
    process.exit(1)
  }
}

const loaded = loadConfigOrExit()
export const config = loaded.config
export const logger = createLogger(config.logLevel)
for (const warning of loaded.warnings) logger.warn(warning)

logDiagnostics(logger)
if (config.tracingEnabled) register({ include: ['pg'] })
// Datadog's tracer brings the CPU profiler of which a process can have one, so it comes first. Without an agent
// nothing of it is loaded.
const datadog =
  config.tracingEnabled && config.datadogAgentUrl !== undefined ? await loadDatadog() : undefined
if (config.tracingEnabled && config.profilerEnabled) startProfilers()
export const telemetry = startTelemetry(config, { datadog, onRateChange: logRateChange })

async function loadDatadog(): Promise<Datadog> {
  keepDatadogFromWrapping()
  const { startDatadog } = await import('./datadog.ts')
  return startDatadog(config)
}

function logRateChange({ samplingRate, requestsLastHour }: RateChange): void {
  logger.info(
    { sampling_rate: samplingRate, requests_last_hour: requestsLastHour },
    `the traffic changes the sampling rate to ${samplingRate}`
  )
}
