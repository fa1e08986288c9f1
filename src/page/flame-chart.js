/** d3-flame-graph with this page's colours, and frames that the keyboard reaches. */

const FRAME_HEIGHT_PX = 22
/** Narrower frames are not drawn: thousands of slivers cost time and tell nothing. */
const MIN_FRAME_PX = 3

/**
 * @param {HTMLElement} container emptied first
 * @param {object} frames see flame-data.js
 * @param {{ isDifference: boolean, describe: (frame: object) => string, onPoint: (frame?: object) => void }} options
 */
export function drawFlameGraph(container, frames, { isDifference, describe, onPoint }) {
  const { d3, flamegraph } = globalThis
  container.replaceChildren()
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches
  const graph = flamegraph
    .default()
    .width(container.clientWidth)
    .cellHeight(FRAME_HEIGHT_PX)
    .inverted(true)
    .selfValue(true)
    .minFrameSize(MIN_FRAME_PX)
    .transitionDuration(still ? 0 : 150)
    .label(({ data }) => describe(data))
    .onClick(decorate)
    .onHover(({ data }) => onPoint(data))
  graph.setSearchMatch(
    ({ data }, term) => term !== '' && data.name.toLowerCase().includes(term.toLowerCase())
  )
  graph.setSearchHandler(() => {})
  graph.setDetailsHandler((text) => {
    if (text === null) onPoint()
  })
  d3.select(container).datum(frames).call(graph)
  const root = container.querySelector('svg')
  // The library keeps room for a title, and two rows of nothing.
  root.setAttribute('height', String(root.getAttribute('height') - 2 * FRAME_HEIGHT_PX))
  root.querySelector('text.title')?.remove()
  root.setAttribute('role', 'tree')
  root.setAttribute('aria-label', 'Flame graph')
  root.addEventListener('keydown', (event) => moveByKey(event, graph))
  root.addEventListener('focusin', ({ target }) => onPoint(target.__data__?.data))
  decorate()

  /** What the library does not set: what a frame is, and its place in the tree. */
  function decorate() {
    for (const element of container.querySelectorAll('g.frame')) {
      const node = element.__data__
      element.dataset.kind = isDifference ? kindOfChange(node.data) : kindOfFrame(node)
      element.dataset.match = String(node.highlight === true)
      element.setAttribute('role', 'treeitem')
      element.setAttribute('aria-level', String(node.depth + 1))
      element.setAttribute('aria-label', describe(node.data))
      element.setAttribute('tabindex', node.depth === 0 ? '0' : '-1')
    }
  }

  return {
    search(term) {
      if (term === '') graph.clear()
      else graph.search(term)
      decorate()
    },
    resetZoom: () => graph.resetZoom()
  }
}

function kindOfFrame({ data, depth, parent }) {
  if (data.file !== undefined) return data.value > data.total / 2 ? 'hot' : 'own'
  const isSpan = depth === 0 || (depth === 1 && parent.data.name === 'all requests')
  return isSpan ? 'span' : 'library'
}

function kindOfChange({ before, after }) {
  const share = Math.abs(after - before) / Math.max(before, after, 0.001)
  if (share < 0.1) return 'same'
  return after < before ? 'saved' : 'added'
}

/** One tab stop for the whole graph: within it the arrows move, as in any tree. */
function moveByKey(event, graph) {
  const from = event.target.closest('g.frame')
  if (!from) return
  const step = STEPS[event.key]
  if (step) {
    const to = elementOf(from, step(from.__data__))
    if (to) focusFrame(from, to)
  } else if (event.key === 'Enter' || event.key === ' ') graph.zoomTo(from.__data__)
  else if (event.key === 'Escape') graph.resetZoom()
  else return
  event.preventDefault()
}

const STEPS = {
  ArrowDown: (node) => node.children?.[0],
  ArrowUp: (node) => node.parent,
  ArrowRight: (node) => siblingOf(node, 1),
  ArrowLeft: (node) => siblingOf(node, -1)
}

function siblingOf(node, offset) {
  const siblings = node.parent?.children ?? [node]
  return siblings[siblings.indexOf(node) + offset]
}

function elementOf(from, node) {
  return [...from.parentNode.querySelectorAll('g.frame')].find((element) => element.__data__ === node)
}

function focusFrame(from, to) {
  from.setAttribute('tabindex', '-1')
  to.setAttribute('tabindex', '0')
  to.focus()
}
