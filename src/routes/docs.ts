import swagger, { type SwaggerTransformObject } from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'
import type { Config } from '../config.ts'

/** swagger-ui adds one style when it loads (@fastify/swagger-ui 6.1.3); another version of it needs another hash. */
const SWAGGER_UI_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"

/** Everything from this server, nothing inline, no frames. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  `style-src 'self' ${SWAGGER_UI_STYLE}`,
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join('; ')

const ADMIN_TOKEN_SCHEME = 'adminToken'

const ERROR_SCHEMA = {
  type: 'object',
  required: ['statusCode', 'code', 'error', 'message'],
  properties: {
    statusCode: { type: 'integer' },
    code: { type: 'string', description: 'Stays the same from version to version' },
    error: { type: 'string' },
    message: { type: 'string', description: 'Says what to change where the request was wrong' }
  }
}

/** What every route answers with when it can't do as asked, whatever it answers with else. */
const ERROR_RESPONSE = { description: 'An error', content: { 'application/json': { schema: ERROR_SCHEMA } } }

/** Of a route whose answer is no JSON. */
const OTHER_CONTENT = { 200: { description: 'As its media type says' } }

/** Guarded routes say so in the document, and whether they are open here. */
function createRouteDescriber(guardedRoutesOpen: boolean): typeof jsonSchemaTransform {
  const security = [{ [ADMIN_TOKEN_SCHEME]: [] }, ...(guardedRoutesOpen ? [{}] : [])]
  return function describeRoute(input) {
    const { schema, url } = jsonSchemaTransform(input)
    const response = {
      ...((schema.response as object | undefined) ?? OTHER_CONTENT),
      '4xx': ERROR_RESPONSE,
      '5xx': ERROR_RESPONSE
    }
    return { url, schema: { ...schema, response, ...(input.route.config?.guarded && { security }) } }
  }
}

/** A body that may be null may be left out: @fastify/swagger 9 calls every body required. */
const letBodiesBeOptional: SwaggerTransformObject = (described) => {
  if (!('openapiObject' in described)) return described.swaggerObject
  for (const operations of Object.values(described.openapiObject.paths ?? {})) {
    const body = operations?.post?.requestBody
    if (body === undefined || '$ref' in body) continue
    const schema = body.content['application/json']?.schema as { anyOf?: { type?: string }[] } | undefined
    body.required = !schema?.anyOf?.some(({ type }) => type === 'null')
  }
  return described.openapiObject
}

/** Makes the OpenAPI document of all routes that are registered afterwards, and the page that shows it. */
export async function registerDocs(
  app: FastifyInstance,
  { version, guardedRoutesOpen }: Pick<Config, 'version' | 'guardedRoutesOpen'>
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Compliance Copilot',
        description: 'Answers from documents, and why they were slow',
        version
      },
      components: {
        securitySchemes: {
          [ADMIN_TOKEN_SCHEME]: {
            type: 'http',
            scheme: 'bearer',
            description: 'ADMIN_TOKEN; open on a loopback host, and with GUARDED_ROUTES=open'
          }
        }
      }
    },
    transform: createRouteDescriber(guardedRoutesOpen),
    transformObject: letBodiesBeOptional
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: CONTENT_SECURITY_POLICY,
    // Unset, the page asks an outside host to validate the document.
    uiConfig: { validatorUrl: null }
  })
  app.get('/openapi.json', { schema: { hide: true } }, async function showOpenApi() {
    return app.swagger()
  })
}
