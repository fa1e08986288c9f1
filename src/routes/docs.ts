import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'

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

/** Guarded routes say so in the document. */
const describeRoute: typeof jsonSchemaTransform = (input) => {
  const described = jsonSchemaTransform(input)
  if (!input.route.config?.guarded) return described
  return { ...described, schema: { ...described.schema, security: [{ [ADMIN_TOKEN_SCHEME]: [] }] } }
}

/** Makes the OpenAPI document of all routes that are registered afterwards, and the page that shows it. */
export async function registerDocs(app: FastifyInstance, version: string): Promise<void> {
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
    transform: describeRoute
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
