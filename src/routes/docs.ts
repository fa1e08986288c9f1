import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { jsonSchemaTransform } from 'fastify-type-provider-zod'

/** Everything from this server, nothing inline, no frames. */
const CONTENT_SECURITY_POLICY =
  "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

/** Makes the OpenAPI document of all routes that are registered afterwards, and the page that shows it. */
export async function registerDocs(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Compliance Copilot',
        description: 'Answers from documents, and why they were slow',
        version
      }
    },
    transform: jsonSchemaTransform
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
