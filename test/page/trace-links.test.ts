import assert from 'node:assert/strict'
import { test } from 'node:test'

// The page's modules are JavaScript for the browser: without types here.
const { traceLinks } = await import(new URL('../../src/page/trace-links.js', import.meta.url).href)

const ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const nowhere = {
  otlp_endpoint: null,
  jaeger_ui_url: 'http://localhost:16686',
  datadog: { agent_url: null, site: 'datadoghq.com' }
}

test('a trace is linked to each backend that gets it, and to none else', () => {
  assert.deepEqual(traceLinks(nowhere, ID), [])
  const jaeger = { ...nowhere, otlp_endpoint: 'http://jaeger:4318', jaeger_ui_url: 'http://jaeger.test/ui/' }
  assert.deepEqual(traceLinks(jaeger, ID), [{ name: 'Jaeger', href: `http://jaeger.test/ui/trace/${ID}` }])
})

test('Datadog is linked where its site’s own pages are', () => {
  const hrefs = ['datadoghq.com', 'datadoghq.eu', 'us5.datadoghq.com'].map(
    (site) => traceLinks({ ...nowhere, datadog: { agent_url: 'http://agent:8126', site } }, ID)[0].href
  )
  assert.deepEqual(hrefs, [
    `https://app.datadoghq.com/apm/trace/${ID}`,
    `https://app.datadoghq.eu/apm/trace/${ID}`,
    `https://us5.datadoghq.com/apm/trace/${ID}`
  ])
})
