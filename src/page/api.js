/** Calls to the service. Every capability of the page is one of these. */
import { askForToken, forgetToken, readToken } from './token.js'

export class ApiError extends Error {
  /** @param {number} status 0 when the service could not be reached */
  constructor(status, code, message) {
    super(message)
    this.status = status
    this.code = code
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{ body?: object, headers?: Record<string, string>, isQuiet?: boolean, isTraced?: boolean }} [options]
 *   `isQuiet` never asks for the admin token: for what the page asks on its own. `isTraced` counts as the
 *   service's own traffic; whatever else the page asks leaves no trace
 * @returns {Promise<any>} the answer's JSON
 * @throws {ApiError}
 */
export async function call(method, path, options = {}) {
  const token = readToken()
  try {
    return await send(method, path, options, token)
  } catch (error) {
    if (error.code !== 'ADMIN_TOKEN_REQUIRED' || options.isQuiet) throw error
    if (token !== null) forgetToken(token)
    const next = readToken() ?? (await askForToken(token !== null))
    if (next === null) throw error
    return call(method, path, options)
  }
}

async function send(method, path, { body, headers, isTraced }, token) {
  let response
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(isTraced ? {} : { 'x-untraced': '1' }),
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...headers
      },
      ...(body ? { body: JSON.stringify(body) } : {})
    })
  } catch {
    throw new ApiError(0, 'UNREACHABLE', 'The service does not answer.')
  }
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) {
    throw new ApiError(response.status, answer.code ?? 'UNKNOWN', answer.message ?? response.statusText)
  }
  return answer
}
