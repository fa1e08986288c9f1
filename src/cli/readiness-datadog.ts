/** Readiness: what Datadog's agent and its site have to show. */
import { type Check, passIf, readJson, type Subject, skipped } from './readiness-service.ts'

const noAgent = skipped('DD_TRACE_AGENT_URL is not set: nothing is sent to Datadog')

interface Metrics {
  backends: { name: string; exported: number; last_error: { message: string } | null }[]
  profiler: { owner: string | null; profiles_accepted_last_hour: number }
}

/** The agent's address as this process has it, else as the service tells it. */
function agentUrlOf({ config, apm }: Subject): string | null {
  return config.datadogAgentUrl ?? apm.datadog.agent_url
}

export const DATADOG_CHECKS: Check[] = [
  {
    name: 'the Datadog package loads',
    mend: 'run npm ci',
    async run() {
      await import('dd-trace')
      return { status: 'pass', detail: 'dd-trace' }
    }
  },
  {
    name: "Datadog's agent answers",
    mend: 'start the agent, and set DD_TRACE_AGENT_URL to its address, e.g. http://localhost:8126',
    async run(subject) {
      const agentUrl = agentUrlOf(subject)
      if (agentUrl === null) return noAgent
      const { version } = await readJson<{ version?: string }>(new URL('/info', agentUrl))
      return { status: 'pass', detail: `${agentUrl}, version ${version ?? 'unknown'}` }
    }
  },
  {
    name: 'the agent took spans',
    mend: 'start the service with DD_TRACE_AGENT_URL set, and send queries: npm run load',
    async run(subject) {
      if (subject.apm.datadog.agent_url === null) return noAgent
      const { backends } = await subject.get<Metrics>('/apm/metrics')
      const backend = backends.find(({ name }) => name === 'datadog')
      const exported = backend?.exported ?? 0
      const detail = `${exported} since the start`
      return passIf(
        exported > 0,
        `${detail}${exported > 0 ? '' : ` (${backend?.last_error?.message ?? 'no error'})`}`,
        this.mend
      )
    }
  },
  {
    name: 'the agent took profiles in the last hour',
    mend: 'the first goes out after 65 s: wait, or look at profiler in GET /apm/metrics',
    async run(subject) {
      if (subject.apm.datadog.agent_url === null) return noAgent
      const { profiler } = await subject.get<Metrics>('/apm/metrics')
      const detail = `${profiler.profiles_accepted_last_hour}, by the profiler of ${profiler.owner ?? 'nobody'}`
      return passIf(profiler.profiles_accepted_last_hour > 0, detail, this.mend)
    }
  },
  {
    name: 'the Datadog API key is valid',
    mend: 'set DD_API_KEY to a key of the organisation, and DD_SITE to its site',
    async run({ config }) {
      const { datadogApiKey, datadogSite } = config
      if (datadogApiKey === undefined) return skipped('DD_API_KEY is not set here')
      const url = new URL(`https://api.${datadogSite}/api/v1/validate`)
      const response = await fetch(url, {
        headers: { 'dd-api-key': datadogApiKey.reveal() },
        signal: AbortSignal.timeout(10_000)
      }).catch(() => undefined)
      if (response === undefined) return skipped(`${url.origin} cannot be reached from here`)
      return passIf(response.ok, `${url.origin} answered ${response.status}`, this.mend)
    }
  }
]
