/** What a person at a terminal reads, on stderr: the log on stdout stays machine-readable. */
import type { WriteStream } from 'node:tty'
import type { Config } from './config.ts'
import { redactAddress } from './telemetry/redaction.ts'

/** Shows the current step of the start-up: on a terminal in one line that is written over, else a line each. */
export function createProgress(stream: WriteStream) {
  const eraseLine = stream.isTTY ? '\r\x1b[K' : ''
  const lineEnd = stream.isTTY ? '' : '\n'
  return {
    show: (step: string) => void stream.write(`${eraseLine}${step} …${lineEnd}`),
    clear: () => void stream.write(eraseLine)
  }
}

export interface BannerFacts {
  config: Config
  url: string
  databaseEngine: string
  /** Seconds from the start of the process. */
  startupS: number
  enabledFaults: string[]
}

/** Says that the service is ready and ends with what to try next, each line ready to paste. */
export function formatBanner({ config, url, databaseEngine, startupS, enabledFaults }: BannerFacts): string {
  const model = config.openaiBaseUrl
    ? `${config.model} at ${config.openaiBaseUrl}`
    : 'simulated model, no key needed'
  const tracing = config.tracingEnabled
    ? `${Number((config.samplingRate * 100).toFixed(2))} % of traces sampled`
    : 'tracing off'
  const faults = enabledFaults.length === 0 ? 'none' : enabledFaults.join(', ')
  const json = `-H 'content-type: application/json'`
  return `
${config.serviceName} is ready on ${url} (${startupS.toFixed(1)} s)
  ${databaseEngine} PostgreSQL · ${model} · ${tracing}
  ${describeTargets(config)}
  planted faults that are on: ${faults}

Try next:
  curl -s ${url}/query ${json} -d '{"query": "What are the compliance requirements?"}'
  npm run diagnose -- --url ${url}  # names the lines that make it slow
  curl -s -X PUT ${url}/faults ${json} -d '{"enabled": false}'  # mends them
`
}

/** Nobody should have to look for a trace where none is sent. */
function describeTargets(config: Config): string {
  const { otlpEndpoint, jaegerUiUrl, datadogAgentUrl } = config
  const targets = [
    ...(otlpEndpoint
      ? [`${redactAddress(otlpEndpoint)} (Jaeger's page: ${redactAddress(jaegerUiUrl)})`]
      : []),
    ...(datadogAgentUrl ? [`Datadog's agent at ${redactAddress(datadogAgentUrl)}`] : [])
  ]
  if (!config.tracingEnabled) return 'no spans: TRACING_ENABLED=false'
  if (targets.length > 0) return `spans go to ${targets.join(' and to ')}`
  return 'spans go nowhere: set OTEL_EXPORTER_OTLP_ENDPOINT for Jaeger, DD_TRACE_AGENT_URL for Datadog'
}
