import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { type SqlReport, sqlReportSchema } from '../evidence/sql/report.ts'

/** @param reportSql what is known of the statements of this process */
export const sqlRoutes: FastifyPluginAsyncZod<{ reportSql: () => SqlReport }> = async (
  app,
  { reportSql }
) => {
  app.get(
    '/debug/sql',
    {
      config: { guarded: true },
      schema: {
        summary: 'SQL statements by total time, with their call sites, traces and plans',
        response: { 200: sqlReportSchema }
      }
    },
    async function showStatements() {
      return reportSql()
    }
  )
}
