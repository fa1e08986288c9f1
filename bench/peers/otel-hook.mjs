/** What OpenTelemetry's documentation asks for where the service is made of ES modules. */
import { register } from 'node:module'

register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
