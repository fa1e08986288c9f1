import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { compareDiagnoses, comparisonSchema } from '../diagnosis/compare.ts'
import { diagnosisSchema } from '../diagnosis/finding.ts'
import type { DiagnosisRecord, Diagnostician } from '../diagnosis/run-diagnosis.ts'
import { HttpError } from '../errors.ts'
import { createLeavingSignal } from './deadline.ts'
import { refuseWithoutProfiler } from './profiler-off.ts'

const secondsError = 'must be a number from 1 to 60'
const idError = 'must be the id of a diagnosis'
const bodySchema = z
  .object({
    seconds: z
      .number(secondsError)
      .min(1, secondsError)
      .max(60, secondsError)
      .default(10)
      .describe('At most so long; the window closes as soon as the evidence suffices')
  })
  .nullish()
  .transform((body) => body ?? { seconds: 10 })

/** @param diagnostician absent when tracing is off */
export const diagnosisRoutes: FastifyPluginAsyncZod<{ diagnostician: Diagnostician | undefined }> = async (
  app,
  { diagnostician }
) => {
  app.post(
    '/diagnosis',
    {
      config: { guarded: true, takesLong: true },
      schema: {
        summary: 'Watch the traffic of the next seconds and name what is slow',
        body: bodySchema,
        response: { 200: diagnosisSchema }
      }
    },
    async function diagnoseTraffic(request, reply) {
      if (diagnostician === undefined) {
        throw new HttpError(
          409,
          'TRACING_OFF',
          'A diagnosis needs spans: start the service with TRACING_ENABLED=true.'
        )
      }
      refuseWithoutProfiler()
      return diagnostician.run(request.body.seconds, createLeavingSignal(reply))
    }
  )

  app.get(
    '/diagnosis',
    {
      config: { guarded: true, takesLong: true },
      schema: {
        summary: 'Whether one is running, and the last ones',
        response: {
          200: z.object({
            running: z.boolean(),
            diagnoses: z.array(z.object({ id: z.string(), healthy: z.boolean() }))
          })
        }
      }
    },
    async function listDiagnoses() {
      const records = diagnostician?.list() ?? []
      return {
        running: diagnostician?.isRunning ?? false,
        diagnoses: records.map(({ id, healthy }) => ({ id, healthy }))
      }
    }
  )

  /** @throws HttpError 404 */
  function findRecord(id: string): DiagnosisRecord {
    const record = diagnostician?.find(id)
    if (record) return record
    throw new HttpError(
      404,
      'UNKNOWN_DIAGNOSIS',
      `There is no diagnosis "${id}": the last 20 are kept until a restart.`
    )
  }

  app.get(
    '/diagnosis/compare',
    {
      config: { guarded: true, takesLong: true },
      schema: {
        summary: 'What changed between two diagnoses, per request, by function and file',
        querystring: z.object({ before: z.string(idError), after: z.string(idError) }),
        response: { 200: comparisonSchema }
      }
    },
    async function compareTwo({ query }) {
      return compareDiagnoses(findRecord(query.before), findRecord(query.after))
    }
  )

  app.get(
    '/diagnosis/:id',
    {
      config: { guarded: true, takesLong: true },
      schema: {
        summary: 'One of the last diagnoses, with its flame graph',
        params: z.object({ id: z.string() }),
        response: { 200: diagnosisSchema.extend({ flame: z.unknown() }) }
      }
    },
    async function showDiagnosis({ params }) {
      return findRecord(params.id)
    }
  )
}
