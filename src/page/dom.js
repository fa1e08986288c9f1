/** Elements made by hand: whatever text the service sends goes in as text, never as markup. */

/**
 * @param {string} tag
 * @param {object} props attributes; `onclick` and the like take a function, `vars` sets custom CSS properties,
 *   and `false`, `null` or `undefined` leave an attribute out
 * @param {...(Node | string | number | null | undefined | false | Array)} children
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag)
  setProps(element, props ?? {})
  element.append(...children.flat(2).filter(isShown).map(toNode))
  return element
}

function setProps(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (name === 'vars') setVars(element, value)
    else if (isShown(value)) element.setAttribute(name, value === true ? '' : String(value))
  }
}

/** A style attribute would need the policy's 'unsafe-inline'; the object model does not. */
function setVars(element, vars) {
  for (const [name, value] of Object.entries(vars)) element.style.setProperty(name, String(value))
}

function isShown(value) {
  return value !== null && value !== undefined && value !== false
}

function toNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child))
}

export function byId(id) {
  const element = document.getElementById(id)
  if (!element) throw new Error(`no element #${id}`)
  return element
}

/** Replaces what an element holds, and gives the keyboard focus back to the control with the same data-key. */
export function fill(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement?.dataset.key : undefined
  element.replaceChildren(...children.flat(2).filter(isShown).map(toNode))
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true })
}

export function empty(...children) {
  return h('p', { class: 'empty' }, ...children)
}

/** For what takes seconds and cannot say how far it is. */
export function progress(label) {
  return h('progress', { 'aria-label': label })
}

export function scrollTo(element) {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  element.scrollIntoView({ behavior: still ? 'auto' : 'smooth', block: 'start' })
}
