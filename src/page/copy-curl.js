/** The calls behind a panel, each to be copied as a curl command. */
import { h } from './dom.js'
import { readToken } from './token.js'

/**
 * @param {...[method: string, path: string, body?: object]} calls
 * @returns one button a call
 */
export function copyCurls(...calls) {
  return h(
    'div',
    { class: 'curls', role: 'group', 'aria-label': 'Copy as curl' },
    h('span', { class: 'quiet', 'aria-hidden': 'true' }, 'Copy as curl'),
    ...calls.map(([method, path, body]) => renderCall(method, path, body))
  )
}

/** One call, beside the control that makes it. */
export function copyCurl(method, path, body) {
  return renderCall(method, path, body, 'Copy as curl')
}

const ID = /[0-9a-f]{8}-[0-9a-f-]{27}/g

function renderCall(method, path, body, shown) {
  const name = `${method} ${path.replaceAll(ID, '…')}`
  const text = shown ?? name
  const button = h(
    'button',
    {
      type: 'button',
      class: 'link curl',
      title: formatCurl(method, path, body),
      'aria-label': `Copy as curl: ${name}`,
      'data-key': `curl ${method} ${path}`
    },
    text
  )
  button.addEventListener('click', async () => {
    const command = formatCurl(method, path, body)
    const isCopied = await copy(command)
    button.textContent = isCopied ? 'Copied' : command
    if (isCopied) setTimeout(() => button.replaceChildren(text), 1500)
  })
  return button
}

function formatCurl(method, path, body) {
  const parts = ['curl -s', method === 'GET' ? '' : `-X ${method}`, quote(new URL(path, location.href).href)]
  // The name of the variable, never the token itself: commands end up in chats and histories.
  if (readToken() !== null) parts.push('-H "authorization: Bearer $ADMIN_TOKEN"')
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
