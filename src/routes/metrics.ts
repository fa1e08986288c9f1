import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Metrics } from '../metrics/metrics.ts'

export const metricRoutes: FastifyPluginAsyncZod<{ metrics: Metrics }> = async (app, { metrics }) => {
  app.get(
    '/metrics',
    {
      config: { anyHost: true },
      schema: {
        summary: 'Prometheus text format; OpenMetrics, with trace ids as exemplars, for who accepts it',
        produces: ['text/plain', 'application/openmetrics-text']
      }
    },
    async function showPrometheusMetrics({ headers }, reply) {
      const { contentType, text } = await metrics.expose(headers.accept)
      return reply.header('vary', 'accept').type(contentType).send(text)
    }
  )
}
