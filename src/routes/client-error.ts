import type { Socket } from 'node:net'
import { createErrorBody, type ErrorBody } from '../errors.ts'

/** Answers what is not even HTTP, in the shape of every other error; Fastify's own answer lacks the code. */
export function answerMalformedRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const body = describe(error.code)
    const text = JSON.stringify(body)
    socket.write(
      `HTTP/1.1 ${body.statusCode} ${body.error}\r\nconnection: close\r\n` +
        `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
    )
  }
  socket.destroySoon()
}

function describe(code = 'BAD_REQUEST'): ErrorBody {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return createErrorBody(408, code, 'The request did not arrive in time: send it faster.')
  }
  if (code === 'HPE_HEADER_OVERFLOW')
    return createErrorBody(431, code, 'The headers are too large: send fewer.')
  return createErrorBody(400, code, 'This is not a well-formed HTTP request.')
}
