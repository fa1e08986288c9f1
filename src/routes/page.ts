/** Serves the page: a fixed list of files, read once at the start. No path of a request reaches the disk. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'
import { dirname, extname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import exampleData from '../../example_data.json' with { type: 'json' }

const PAGE_DIR = join(import.meta.dirname, '../page')

/** d3-flame-graph 5.0.0 adds one style element when it loads; another version of it needs another hash. */
const FLAME_GRAPH_STYLE = "'sha256-PjPkXjWPssRCMzB6p5SnF25xrwIH7ThbVHWlE+SG1DE='"

/** Everything from this server, nothing inline, no frames. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  `style-src 'self' ${FLAME_GRAPH_STYLE}`,
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join('; ')

const CONTENT_TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/** Asked for again each time, and answered with 304 while nothing has changed. */
const REVALIDATE = 'no-cache'
/** For what has its version in its address. */
const FOR_GOOD = 'public, max-age=31536000, immutable'

interface Asset {
  url: string
  path: string
  cacheControl: string
}

function listPageFiles(): Asset[] {
  return readdirSync(PAGE_DIR)
    .filter((name) => extname(name) in CONTENT_TYPES)
    .map((name) => ({
      url: name === 'index.html' ? '/' : `/page/${name}`,
      path: join(PAGE_DIR, name),
      cacheControl: REVALIDATE
    }))
}

/** @returns the file of an installed package, under an address that holds the package's version */
function findLibrary(packageName: string, file: string): Asset {
  const manifest = findPackageJSON(packageName, import.meta.url)
  if (manifest === undefined) throw new Error(`${packageName} is not installed: run \`npm ci\``)
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  return {
    url: `/page/${packageName}-${version}${extname(file)}`,
    path: join(dirname(manifest), file),
    cacheControl: FOR_GOOD
  }
}

function serveAsset({ path, cacheControl }: Asset) {
  const body = readFileSync(path)
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const headers = {
    'content-type': CONTENT_TYPES[extname(path)],
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'cache-control': cacheControl,
    etag
  }
  return async function sendAsset(request: FastifyRequest, reply: FastifyReply) {
    reply.headers(headers)
    if (request.headers['if-none-match'] === etag) return reply.code(304).send()
    return reply.send(body)
  }
}

export const pageRoutes: FastifyPluginAsyncZod = async (app) => {
  const assets = [
    ...listPageFiles(),
    findLibrary('d3', 'dist/d3.min.js'),
    findLibrary('d3-flame-graph', 'dist/d3-flamegraph.umd.min.js'),
    findLibrary('uplot', 'dist/uPlot.iife.min.js'),
    findLibrary('uplot', 'dist/uPlot.min.css')
  ]
  for (const asset of assets) app.get(asset.url, { schema: { hide: true } }, serveAsset(asset))

  app.get(
    '/page/sample-queries.json',
    {
      schema: {
        summary: 'The questions that the page sends',
        response: { 200: z.object({ queries: z.array(z.string()) }) }
      }
    },
    async function listSampleQueries() {
      return { queries: exampleData.sample_queries }
    }
  )
}
