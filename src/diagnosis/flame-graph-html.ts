/** A flame graph in one HTML file that needs nothing else: no server, no network. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { DiagnosisRecord } from './run-diagnosis.ts'

export function renderFlameGraph({ id, flame, window }: DiagnosisRecord): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Flame graph ${id}</title>
<style>
${readAsset('d3-flame-graph', 'dist/d3-flamegraph.css')}
:root { color-scheme: light dark; font: 14px/1.5 system-ui, sans-serif }
body { margin: 1.5rem }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline }
h1 { font-size: 1.2rem; margin: 0 }
#details { min-height: 1.5em; font-family: ui-monospace, monospace }
input { font: inherit; padding: .2rem .5rem }
</style>
<header>
<h1>Where the CPU time goes, by span</h1>
<span>${window.requests} requests, ${window.labelled_samples} samples; width is time on the main thread</span>
<label>Search <input id="search" type="search" placeholder="function or file:line"></label>
</header>
<p id="details" role="status"></p>
<div id="chart"></div>
<script>${readAsset('d3', 'dist/d3.min.js')}</script>
<script>${readAsset('d3-flame-graph', 'dist/d3-flamegraph.umd.min.js')}</script>
<script>
const tree = ${toScriptLiteral(flame)}
const requests = ${window.requests}
const label = ({ data, value }) => data.name + ': ' + (value / requests).toFixed(1) + ' ms per request'
const chart = flamegraph.default().width(document.body.clientWidth).cellHeight(22).selfValue(false)
chart.label(label).setDetailsElement(document.getElementById('details'))
d3.select('#chart').datum(tree).call(chart)
document.getElementById('search').addEventListener('input', ({ target }) => {
  target.value === '' ? chart.clear() : chart.search(target.value)
})
</script>
</html>
`
}

function readAsset(packageName: string, file: string): string {
  const resolved = createRequire(import.meta.url).resolve(packageName)
  const directory = resolved.slice(0, resolved.lastIndexOf(path.join('node_modules', packageName)))
  const text = readFileSync(path.join(directory, 'node_modules', packageName, file), 'utf8')
  // The end tag would end the page's own script element.
  return text.replaceAll('</script', '<\\/script')
}

/** JSON that can stand in a script element: a function's name must not be able to close it. */
function toScriptLiteral(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c')
}
