/** Who may come in: the checks before a request's body is read. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Config } from '../config.ts'
import { HttpError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Switches, measures or reveals: for the operator only. */
    guarded?: boolean
    /** Asked by load balancers and scrapers, which use the address they know. */
    anyHost?: boolean
  }
}

type GuardConfig = Pick<Config, 'allowedHosts' | 'guardedRoutesOpen' | 'adminToken'>

/**
 * Makes the check of the onRequest hook; it throws an HttpError for a request that may not come in.
 * @param refuseUnknownRoute asked here, since a 404 handler would read (and find fault with) the body first
 */
export function createGuard(
  { allowedHosts, guardedRoutesOpen, adminToken }: GuardConfig,
  refuseUnknownRoute: (request: FastifyRequest, reply: FastifyReply) => void
) {
  const tokenDigest = adminToken && digest(adminToken.reveal())

  function guard(request: FastifyRequest, reply: FastifyReply): void {
    const { guarded = false, anyHost = false } = request.routeOptions.config
    if (!anyHost) refuseForeignHost(request)
    refuseUnknownRoute(request, reply)
    if (guarded || !['GET', 'HEAD', 'OPTIONS'].includes(request.method)) refuseCrossSite(request)
    if (guarded && !guardedRoutesOpen) refuseStranger(request)
  }

  /** A page that rebinds its own name to this address would otherwise count as same-origin. */
  function refuseForeignHost(request: FastifyRequest): void {
    const name = hostName(request.headers.host)
    if (allowedHosts.includes('*') || (name !== undefined && allowedHosts.includes(name))) return
    throw new HttpError(
      421,
      'HOST_NOT_ALLOWED',
      `This service does not answer under the host name "${name ?? ''}": add it to ALLOWED_HOSTS.`
    )
  }

  function refuseStranger(request: FastifyRequest): void {
    if (tokenDigest === undefined) {
      throw new HttpError(
        403,
        'ADMIN_TOKEN_NOT_SET',
        'This route is closed because HOST is not a loopback address: set ADMIN_TOKEN, or GUARDED_ROUTES=open.'
      )
    }
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    // Digests have one length, so that the comparison takes the same time for every token.
    if (token !== undefined && timingSafeEqual(digest(token), tokenDigest)) return
    throw new HttpError(
      403,
      'ADMIN_TOKEN_REQUIRED',
      'This route needs the header "authorization: Bearer <ADMIN_TOKEN>" with the right token.'
    )
  }

  return guard
}

/** Another site's page must not use the visitor's browser to reach a service on the visitor's own machine. */
function refuseCrossSite({ headers }: FastifyRequest): void {
  const site = headers['sec-fetch-site']
  const isForeignSite = site !== undefined && site !== 'same-origin' && site !== 'none'
  const isForeignOrigin = headers.origin !== undefined && originHost(headers.origin) !== headers.host
  if (isForeignSite || isForeignOrigin) {
    throw new HttpError(403, 'CROSS_SITE', 'Pages of other origins may not call this route.')
  }
}

function hostName(host: string | undefined): string | undefined {
  return host && URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined
}

function originHost(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
