/** The admin token: asked for once, when a call needs it, and kept until the tab is closed. */
import { byId } from './dom.js'

const KEY = 'admin-token'
let pending

export function readToken() {
  return sessionStorage.getItem(KEY)
}

/** Another call may have brought a newer one in the meantime: that stays. */
export function forgetToken(refused) {
  if (readToken() === refused) sessionStorage.removeItem(KEY)
}

/**
 * @param {boolean} wasRefused says so in the dialog
 * @returns {Promise<string | null>} null when the person would rather not; calls at the same time share one dialog
 */
export function askForToken(wasRefused) {
  pending ??= openDialog(wasRefused).finally(() => {
    pending = undefined
  })
  return pending
}

function openDialog(wasRefused) {
  const dialog = byId('token-dialog')
  const input = byId('token-input')
  input.value = ''
  byId('token-error').hidden = !wasRefused
  byId('token-cancel').onclick = () => dialog.close('')
  dialog.returnValue = ''
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        const token = dialog.returnValue === 'ok' ? input.value.trim() : ''
        if (token !== '') sessionStorage.setItem(KEY, token)
        input.value = ''
        resolve(token === '' ? null : token)
      },
      { once: true }
    )
  })
}
