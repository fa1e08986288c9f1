import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { HttpError } from '../errors.ts'
import { isWindowOpen } from '../evidence/evidence-stream.ts'
import { buildHeapFlameTree, type HeapFlameNode } from '../evidence/heap-flame-tree.ts'
import { exportHeapProfile, readHeapProfile } from '../evidence/heap-profiler.ts'
import { captureCpuProfile } from '../evidence/profile-capture.ts'
import type { SourceTree } from '../evidence/source-tree.ts'
import { untilAborted } from '../evidence/until-aborted.ts'
import { windowGate } from '../evidence/window-gate.ts'
import { createLeavingSignal } from './deadline.ts'
import { refuseWithoutProfiler } from './profiler-off.ts'

const BINARY = 'application/octet-stream'

const secondsError = 'must be a number from 1 to 60'
const spanError = 'must be the name of a span, as traces show it'
const querySchema = z.object({
  seconds: z.coerce.number(secondsError).min(1, secondsError).max(60, secondsError).default(30),
  span: z
    .string()
    .min(1, spanError)
    .max(256, spanError)
    .optional()
    .describe('Only the samples of spans of this name')
})

const heapFlameSchema = z.object({
  name: z.string(),
  file: z.string().optional(),
  line: z.int().optional().describe('where the function begins'),
  package: z.string().optional().describe('of a frame in a library'),
  value: z.number().describe('live bytes, callees included'),
  objects: z.number(),
  children: z.array(z.custom<HeapFlameNode>()).describe('callees, of the same shape')
})

/** Profiles under the addresses and in the format that Go's net/http/pprof made usual. */
export const pprofRoutes: FastifyPluginAsyncZod<{ sources: SourceTree }> = async (app, { sources }) => {
  const config = { guarded: true }

  app.get(
    '/debug/pprof/profile',
    {
      config,
      schema: {
        summary: 'CPU profile of the next seconds, gzipped pprof',
        querystring: querySchema,
        produces: [BINARY]
      }
    },
    async function profileCpu({ query }, reply) {
      refuseWithoutProfiler()
      refuseWhileCapturing()
      const timeUp = delay(query.seconds * 1000, undefined, { ref: false })
      const { profile, spanNames } = await captureCpuProfile(
        query.span,
        untilAborted(Promise.race([timeUp, windowGate.untilShut()]), createLeavingSignal(reply))
      )
      if (query.span !== undefined && !spanNames.has(query.span)) throw unknownSpan(query.span, spanNames)
      return sendProfile(reply, 'profile', profile)
    }
  )

  app.get(
    '/debug/pprof/heap',
    { config, schema: { summary: 'Live bytes by allocation site, gzipped pprof', produces: [BINARY] } },
    async function profileHeap(_request, reply) {
      refuseWithoutProfiler()
      return sendProfile(reply, 'heap', exportHeapProfile())
    }
  )

  app.get(
    '/debug/heap-flame-graph',
    {
      config,
      schema: {
        summary: 'Live bytes by allocation site, as the tree that a flame graph is drawn from',
        response: { 200: heapFlameSchema }
      }
    },
    async function showHeapFlameGraph() {
      refuseWithoutProfiler()
      return buildHeapFlameTree(readHeapProfile(), sources)
    }
  )
}

function refuseWhileCapturing(): void {
  if (!isWindowOpen()) return
  throw new HttpError(409, 'CAPTURE_RUNNING', 'Another capture is running: wait until it has ended.')
}

function unknownSpan(name: string, seen: Set<string>): HttpError {
  const known = seen.size === 0 ? 'no request came at all' : `there were: ${[...seen].join(', ')}`
  return new HttpError(422, 'UNKNOWN_SPAN', `No span "${name}" in this window; ${known}.`)
}

/** Like Go: the body is gzip, and says so by its content, not by a Content-Encoding that clients would undo. */
function sendProfile(reply: FastifyReply, fileName: string, profile: Uint8Array) {
  return reply
    .type(BINARY)
    .header('content-disposition', `attachment; filename="${fileName}"`)
    .send(Buffer.from(profile))
}
