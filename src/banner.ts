/** What a person at a terminal reads, on stderr: the log on stdout stays machine-readable. */
import type { WriteStream } from 'node:tty'
import type { Config } from './config.ts'

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
  planted faults that are on: ${faults}

Try next:
  curl -s ${url}/query ${json} -d '{"query": "What are the compliance requirements?"}'
  npm run diagnose -- --url ${url}  # names the lines that make it slow
  curl -s -X PUT ${url}/faults ${json} -d '{"enabled": false}'  # mends them
`
}
