// Run inside the page: every visible text whose contrast with what is behind it is below WCAG AA's 4.5 : 1.
;(() => {
  const MIN_RATIO = 4.5
  const isTransparent = (colour) => colour === 'transparent' || /, 0\)$/.test(colour)
  const found = []

  function luminance(colour) {
    const [r, g, b] = colour
      .match(/[\d.]+/g)
      .map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }

  function groundOf(element) {
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each)
      if (!isTransparent(backgroundColor)) return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement
    const text = texts.currentNode.textContent.trim()
    // A frame's ground is its rectangle's fill, which this does not see.
    if (text === '' || !element.checkVisibility() || element.closest(':disabled, svg, noscript')) continue
    const [low, high] = [getComputedStyle(element).color, groundOf(element)]
      .map(luminance)
      .sort((a, b) => a - b)
    const ratio = (high + 0.05) / (low + 0.05)
    if (ratio < MIN_RATIO) found.push(`${ratio.toFixed(2)} ${text.slice(0, 40)}`)
  }
  return found
})()
