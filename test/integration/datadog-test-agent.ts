/** What the tests ask of Datadog's test agent: its own HTTP API. */

import { readUpload, type UploadedProfiles } from '../fixtures/datadog/profile-upload.ts'
import type { DatadogSpan } from '../fixtures/datadog/recording-agent.ts'

interface AgentRequest {
  method: string
  url: string
  headers: Record<string, string>
  /** Base64. */
  body: string
}

/** Ids are 64 bits wide, more than a number holds. */
function keepIds(key: string, value: unknown, context?: { source: string }): unknown {
  return /^(trace|span|parent)_id$/.test(key) && context ? BigInt(context.source) : value
}

async function ask(agentUrl: string, path: string): Promise<string> {
  const response = await fetch(new URL(path, agentUrl))
  const text = await response.text()
  if (!response.ok) throw new Error(`the test agent answered ${path} with ${response.status}: ${text}`)
  return text
}

/** The spans that a service sent, a list for each trace. */
export async function readTraces(agentUrl: string, service: string): Promise<DatadogSpan[][]> {
  const parse = JSON.parse as (text: string, reviver: typeof keepIds) => unknown
  const traces = parse(await ask(agentUrl, '/test/session/traces'), keepIds) as DatadogSpan[][]
  return traces.filter(([root]) => root?.service === service)
}

/** The profiles that a service sent. */
export async function readProfiles(agentUrl: string, service: string): Promise<UploadedProfiles[]> {
  const requests = JSON.parse(await ask(agentUrl, '/test/session/requests')) as AgentRequest[]
  const uploads = requests.filter(({ url }) => url.endsWith('/profiling/v1/input'))
  const profiles = await Promise.all(
    uploads.map(({ headers, body }) => readUpload(headers['Content-Type'] ?? '', Buffer.from(body, 'base64')))
  )
  return profiles.filter(({ event }) => event.tags_profiler.split(',').includes(`service:${service}`))
}

/** How often each of the agent's checks failed. */
export async function readFailedChecks(agentUrl: string): Promise<Record<string, number>> {
  const summary: Record<string, { Failed_Checks: number }> = JSON.parse(
    await ask(agentUrl, '/test/trace_check/summary')
  )
  return Object.fromEntries(Object.entries(summary).map(([name, check]) => [name, check.Failed_Checks]))
}

export async function clearAgent(agentUrl: string): Promise<void> {
  await ask(agentUrl, '/test/session/clear')
  await ask(agentUrl, '/test/trace_check/clear')
}
