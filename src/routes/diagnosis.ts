import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { diagnosisSchema } from '../diagnosis/finding.ts'
import type { Diagnostician } from '../diagnosis/run-diagnosis.ts'
import { HttpError } from '../errors.ts'

const secondsError = 'must be a number from 1 to 60'
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
      config: { guarded: true },
      schema: {
        summary: 'Watch the traffic of the next seconds and name what is slow',
        body: bodySchema,
        response: { 200: diagnosisSchema }
      }
    },
    async function diagnoseTraffic(request) {
      if (diagnostician === undefined) {
        throw new HttpError(
          409,
          'TRACING_OFF',
          'A diagnosis needs spans: start the service with TRACING_ENABLED=true.'
        )
      }
      return diagnostician.run(request.body.seconds)
    }
  )
}
