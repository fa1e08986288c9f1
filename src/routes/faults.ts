import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HttpError } from '../errors.ts'
import { FAULT_NAMES, type FaultRegistry, isFaultName } from '../faults.ts'

const faultSchema = z.object({
  name: z.string(),
  simulates: z.string(),
  file: z.string(),
  line: z.int(),
  enabled: z.boolean()
})

const switchSchema = z.object(
  { enabled: z.boolean({ error: 'must be true or false' }) },
  { error: 'must be a JSON object: {"enabled": true} or {"enabled": false}' }
)

export const faultRoutes: FastifyPluginAsyncZod<{ faults: FaultRegistry }> = async (app, { faults }) => {
  const config = { guarded: true }
  const listSchema = z.object({ faults: z.array(faultSchema) })

  app.get(
    '/faults',
    { config, schema: { summary: 'The planted faults', response: { 200: listSchema } } },
    async function listFaults() {
      return { faults: faults.list() }
    }
  )

  app.put(
    '/faults',
    { config, schema: { summary: 'Switch all of them', body: switchSchema, response: { 200: listSchema } } },
    async function switchAllFaults(request) {
      const { enabled } = request.body
      for (const name of FAULT_NAMES) faults.set(name, enabled)
      request.log.info({ enabled }, 'all faults switched')
      return { faults: faults.list() }
    }
  )

  app.put(
    '/faults/:name',
    {
      config,
      schema: {
        summary: 'Switch one of them',
        params: z.object({ name: z.string() }),
        body: switchSchema,
        response: { 200: faultSchema }
      }
    },
    async function switchFault(request) {
      const { name } = request.params
      if (!isFaultName(name)) {
        throw new HttpError(
          404,
          'UNKNOWN_FAULT',
          `There is no fault "${name}". There are: ${FAULT_NAMES.join(', ')}.`
        )
      }
      const fault = faults.set(name, request.body.enabled)
      request.log.info({ fault: name, enabled: fault.enabled }, 'fault switched')
      return fault
    }
  )
}
