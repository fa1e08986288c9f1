/** A button that copies a call of the page as a curl command. */
import { h } from './dom.js'

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 */
export function copyCurl(method, path, body) {
  const command = formatCurl(method, path, body)
  const button = h(
    'button',
    { type: 'button', class: 'link', title: command, 'aria-label': `Copy as curl: ${method} ${path}` },
    'Copy as curl'
  )
  button.addEventListener('click', async () => {
    const isCopied = await copy(command)
    button.textContent = isCopied ? 'Copied' : command
    if (isCopied) setTimeout(() => button.replaceChildren('Copy as curl'), 1500)
  })
  return button
}

function formatCurl(method, path, body) {
  const url = new URL(path, location.href).href
  const parts = ['curl -s', method === 'GET' ? '' : `-X ${method}`, quote(url)]
  if (body) parts.push(`-H 'content-type: application/json' -d ${quote(JSON.stringify(body))}`)
  return parts.filter((part) => part !== '').join(' ')
}

function quote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Browsers give the clipboard to secure origins only. */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
