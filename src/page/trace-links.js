/** Where else a trace can be looked at: the addresses of its page in Jaeger and in Datadog. Pure. */

/**
 * @param {object} config what GET /apm/config answered
 * @param {string} traceId
 * @returns {{ name: string, href: string }[]} one for each backend that gets the traces
 */
export function traceLinks({ otlp_endpoint, jaeger_ui_url, datadog }, traceId) {
  const links = []
  if (otlp_endpoint !== null) {
    links.push({ name: 'Jaeger', href: `${jaeger_ui_url.replace(/\/$/, '')}/trace/${traceId}` })
  }
  if (datadog.agent_url !== null) {
    links.push({ name: 'Datadog', href: `https://${datadogHost(datadog.site)}/apm/trace/${traceId}` })
  }
  return links
}

/** `datadoghq.eu` is app.datadoghq.eu; a site with a name of its own, as us5.datadoghq.com, is its own host. */
function datadogHost(site) {
  return site.split('.').length > 2 ? site : `app.${site}`
}
