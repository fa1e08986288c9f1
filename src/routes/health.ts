import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** A load balancer gives up after a few seconds; the answer must come before that. */
const DATABASE_TIMEOUT_MS = 1000

const healthSchema = z.object({
  status: z.enum(['ok', 'degraded', 'draining']),
  apm_enabled: z.boolean().describe("Datadog's profiler runs"),
  apm_configured: z.boolean().describe('a Datadog agent is set'),
  service: z.string(),
  environment: z.string(),
  version: z.string(),
  uptime_s: z.number(),
  database: z.object({ engine: z.enum(['embedded', 'postgresql']), ok: z.boolean() })
})

export interface HealthDeps {
  config: Config
  database: Database
  telemetry: Telemetry
}

export const healthRoutes: FastifyPluginAsyncZod<HealthDeps> = async (
  app,
  { config, database, telemetry }
) => {
  app.get(
    '/health',
    {
      config: { anyHost: true },
      schema: { summary: 'Whether it can answer queries', response: { 200: healthSchema, 503: healthSchema } }
    },
    async function reportHealth(_request, reply) {
      const ok = await database.isHealthy(DATABASE_TIMEOUT_MS)
      const isDraining = app.drain.signal.aborted
      return reply.code(ok && !isDraining ? 200 : 503).send({
        status: isDraining ? 'draining' : ok ? 'ok' : 'degraded',
        apm_enabled: telemetry.datadog?.isProfiling() ?? false,
        apm_configured: config.datadogAgentUrl !== undefined,
        service: config.serviceName,
        environment: config.environment,
        version: config.version,
        uptime_s: Math.round(process.uptime()),
        database: { engine: database.engine, ok }
      })
    }
  )

  app.get(
    '/health/live',
    {
      config: { anyHost: true },
      schema: {
        summary: 'Whether the process is up',
        response: { 200: z.object({ status: z.literal('ok') }) }
      }
    },
    async function reportLive() {
      return { status: 'ok' as const }
    }
  )
}
