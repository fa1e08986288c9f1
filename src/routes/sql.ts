import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { IndexAdvisor } from '../database/index-advisor.ts'
import { HttpError } from '../errors.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { statementId } from '../evidence/sql/normalize.ts'
import { indexAdviceSchema, reportSql, sqlReportSchema } from '../evidence/sql/report.ts'
import { statementLog } from '../evidence/sql/statement-log.ts'

const adviceBodySchema = z.object(
  {
    id: z
      .string('must be the id of a statement of GET /debug/sql')
      .regex(/^[0-9a-f]{12}$/, 'must be the id of a statement of GET /debug/sql, 12 hexadecimal digits')
  },
  { error: 'must be a JSON object such as {"id": "0123456789ab"}' }
)

/** @param sources tells our own code from libraries, for the call sites */
export const sqlRoutes: FastifyPluginAsyncZod<{ sources: SourceTree; indexAdvisor: IndexAdvisor }> = async (
  app,
  { sources, indexAdvisor }
) => {
  const config = { guarded: true }

  app.get(
    '/debug/sql',
    {
      config,
      schema: {
        summary: 'SQL statements by total time, with their call sites, traces and plans',
        response: { 200: sqlReportSchema }
      }
    },
    async function showStatements() {
      return reportSql(sources, indexAdvisor.find)
    }
  )

  app.post(
    '/debug/sql/index-advice',
    {
      config: { ...config, takesLong: true },
      schema: {
        summary: 'Try the index that a statement seems to miss: created, planned again, rolled back',
        body: adviceBodySchema,
        response: { 200: indexAdviceSchema }
      }
    },
    async function adviseOnIndex({ body }) {
      return indexAdvisor.advise(findStatement(body.id))
    }
  )
}

/** @throws HttpError 404 */
function findStatement(id: string): string {
  const logged = statementLog.list().find(({ statement }) => statementId(statement) === id)
  if (logged) return logged.statement
  throw new HttpError(404, 'UNKNOWN_STATEMENT', `There is no statement "${id}": GET /debug/sql lists them.`)
}
