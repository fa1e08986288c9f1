/**
 * The simulated model's own process: a server on 127.0.0.1 that lives until its parent lets go of it or dies.
 * The parent sends SimulatorSettings; the child answers with SimulatorReady.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { handleRequest } from './simulator-server.ts'
import type { SimulatorTracing } from './simulator-tracing.ts'

export interface SimulatorSettings {
  /** 0: any free port. */
  port: number
  latencyScale: number
  otlpEndpoint?: string | undefined
}

export interface SimulatorReady {
  port: number
}

/** How long the last spans may take to be sent. */
const FLUSH_TIMEOUT_MS = 2500

let tracing: SimulatorTracing | undefined
let server: Server | undefined

// Ctrl-C reaches every process of the terminal, and the parent still waits for the answers under way.
process.on('SIGINT', () => {})
process.once('disconnect', stop)
process.once('message', (settings: SimulatorSettings) => void start(settings))
if (!process.connected) stop()

async function start({ port, latencyScale, otlpEndpoint }: SimulatorSettings): Promise<void> {
  if (otlpEndpoint !== undefined) {
    const { startTracing } = await import('./simulator-tracing.ts')
    tracing = startTracing(otlpEndpoint)
  }
  server = createServer(function onRequest(request, response) {
    tracing?.traceRequest(request, response)
    void handleRequest(request, response, latencyScale)
  })
  server.listen(port, '127.0.0.1', function onListening(this: Server) {
    const ready: SimulatorReady = { port: (this.address() as AddressInfo).port }
    // Without a callback, a parent that has just gone would be an uncaught error here.
    process.send?.(ready, undefined, undefined, () => {})
  })
}

function stop(): void {
  setTimeout(() => process.exit(), FLUSH_TIMEOUT_MS).unref()
  server?.close()
  server?.closeAllConnections()
  void Promise.allSettled([tracing?.shutdown()]).then(() => process.exit())
}
