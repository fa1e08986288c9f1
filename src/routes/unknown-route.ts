import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from '../errors.ts'

/**
 * Takes note of every route that is registered afterwards.
 * @returns a check that throws for a request no route takes: 405 with `Allow` where the path exists under
 * another method, else 404 with the routes there are
 */
export function collectRoutes(app: FastifyInstance) {
  const methodsByUrl = new Map<string, Set<string>>()

  app.addHook('onRoute', function noteRoute({ url, method, schema }) {
    if (schema && 'hide' in schema && schema.hide) return
    const methods = methodsByUrl.get(url) ?? new Set()
    for (const each of [method].flat()) methods.add(each)
    methodsByUrl.set(url, methods)
  })

  function refuseUnknownRoute(request: FastifyRequest, reply: FastifyReply): void {
    if (!request.is404) return
    const path = request.url.split('?', 1)[0] ?? ''
    const known = [...methodsByUrl].find(([url]) => matchesRoute(path, url))
    if (known) {
      const allowed = [...known[1]].join(', ')
      reply.header('allow', allowed)
      throw new HttpError(
        405,
        'METHOD_NOT_ALLOWED',
        `${path} does not take ${request.method}; it takes ${allowed}.`
      )
    }
    throw new HttpError(404, 'NOT_FOUND', `There is no ${path}. There are: ${listRoutes(methodsByUrl)}.`)
  }

  return refuseUnknownRoute
}

/** True where `path` fits a route's `url`, in which `:name` stands for one part. */
function matchesRoute(path: string, url: string): boolean {
  const parts = path.split('/')
  const pattern = url.split('/')
  return (
    parts.length === pattern.length && pattern.every((each, i) => each.startsWith(':') || each === parts[i])
  )
}

function listRoutes(methodsByUrl: Map<string, Set<string>>): string {
  return [...methodsByUrl]
    .flatMap(([url, methods]) =>
      [...methods].filter((each) => each !== 'HEAD').map((each) => `${each} ${url}`)
    )
    .join(', ')
}
