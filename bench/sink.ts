/** Takes what every exporter sends, on loopback, and counts it: whoever sends nothing is not measured, but broken. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Received {
  traceRequests: number
  profileRequests: number
  bytes: number
}

export interface Sink {
  url: string
  /** What came since the last call. */
  take(): Received
  close(): void
}

export async function startSink(): Promise<Sink> {
  let received = createReceived()
  const server = createServer(function receive(request, response) {
    const path = request.url ?? ''
    if (path.endsWith('/traces')) received.traceRequests += 1
    // Datadog's agent takes profiles at /profiling, Pyroscope's server at /ingest.
    if (path.startsWith('/profiling') || path.startsWith('/ingest')) received.profileRequests += 1
    request.on('data', (chunk: Buffer) => {
      received.bytes += chunk.length
    })
    request.on('end', function acknowledge() {
      response.setHeader('content-type', 'application/json')
      response.end('{}')
    })
  })
  // A connection must outlast the pause of the service that holds it: its next export would fail otherwise.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function take(): Received {
    const taken = received
    received = createReceived()
    return taken
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take,
    close() {
      server.closeAllConnections()
      server.close()
    }
  }
}

function createReceived(): Received {
  return { traceRequests: 0, profileRequests: 0, bytes: 0 }
}
