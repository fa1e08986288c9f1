/**
 * A Prometheus with the configuration of deploy/prometheus scrapes the running service: every query of the rules and
 * of Grafana's dashboard finds data. `prometheus` and `promtool` are on the PATH.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parse, stringify } from 'yaml'
import { startServer } from '../server-process.ts'
import { sendJson } from '../service.ts'
import { findFreePort, startProgram } from './otlp-programs.ts'
import { copySpoiled } from './spoiled.ts'

const DEPLOY = path.resolve(import.meta.dirname, '../../deploy')
const PROMETHEUS = path.join(DEPLOY, 'prometheus')
/** Growth needs a second full collection, which at rest is forced after one minute, or two. */
const DATA_TIMEOUT_MS = 150_000

function promtool(cwd: string, ...args: string[]): { ok: boolean; output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { cwd, encoding: 'utf8' })
  assert.ifError(error)
  return { ok: status === 0, output: stdout + stderr }
}

interface Query {
  where: string
  expr: string
}

/** The rules' expressions without their thresholds, which a healthy service does not pass. */
function readRuleQueries(): Query[] {
  const { groups } = parse(readFileSync(path.join(PROMETHEUS, 'rules.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[]
  }
  return groups.flatMap(({ rules }) =>
    rules.flatMap(({ alert, expr }) =>
      expr.split(/\s+and on \(\w+\)\s+/).map((part) => ({
        where: `alert ${alert}`,
        expr: part.replace(/\s(>|==)\s[\d.* ]+$/, '')
      }))
    )
  )
}

function readPanelQueries(): Query[] {
  const file = path.join(DEPLOY, 'grafana/dashboards/span-to-line.json')
  const { panels } = JSON.parse(readFileSync(file, 'utf8')) as {
    panels: { title: string; targets?: { expr: string }[] }[]
  }
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      where: `panel ${title}`,
      expr: expr.replaceAll('$__rate_interval', '1m')
    }))
  )
}

/** `or vector(0)` would answer whatever stands before it: what it stands for is asked for without. */
function namesOf({ expr }: Query): string[] {
  return expr.match(/\b(?:rag|apm|http|nodejs|process)_\w+/g) ?? []
}

interface Exemplar {
  labels: { trace_id: string }
  timestamp: number
}

interface QueryResult {
  status: string
  error?: string
  data: { result: { value: [number, string] }[] }
}

async function ask(prometheusUrl: string, expr: string): Promise<unknown[]> {
  const url = `${prometheusUrl}/api/v1/query?query=${encodeURIComponent(expr)}`
  const { status, error, data } = (await (await fetch(url)).json()) as QueryResult
  assert.equal(status, 'success', `${expr}: ${error}`)
  // NaN is not known yet, or nothing divided by nothing.
  return data.result.filter(({ value }) => value[1] !== 'NaN')
}

/** Those that find nothing. */
async function findEmpty(prometheusUrl: string, queries: Query[]): Promise<string[]> {
  const empty: string[] = []
  for (const { where, expr } of queries) {
    if ((await ask(prometheusUrl, expr)).length === 0) empty.push(`${where}: ${expr}`)
  }
  return empty
}

async function startPrometheus(t: TestContext, serviceUrl: string): Promise<string> {
  const directory = mkdtempSync(path.join(tmpdir(), 'prometheus-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const config = parse(readFileSync(path.join(PROMETHEUS, 'prometheus.yml'), 'utf8'))
  config.global = { scrape_interval: '1s', evaluation_interval: '1s' }
  config.rule_files = [path.join(PROMETHEUS, 'rules.yml')]
  config.scrape_configs[0].static_configs = [{ targets: [new URL(serviceUrl).host] }]
  const configFile = path.join(directory, 'prometheus.yml')
  writeFileSync(configFile, stringify(config))
  const address = `127.0.0.1:${await findFreePort()}`
  const command = [
    'prometheus',
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${directory}/data`,
    `--web.listen-address=${address}`,
    '--enable-feature=exemplar-storage'
  ]
  await startProgram(t, command, {}, `http://${address}/-/ready`)
  return `http://${address}`
}

/** Takes spans and forgets them: a backend for the service to count for. */
async function startSpanSink(t: TestContext): Promise<string> {
  const sink = createServer((request, response) => {
    request.resume()
    request.once('end', () => response.setHeader('content-type', 'application/json').end('{}'))
  }).listen(0, '127.0.0.1')
  await once(sink, 'listening')
  t.after(() => sink.close())
  return `http://127.0.0.1:${(sink.address() as { port: number }).port}`
}

/** Queries of two plans, a vote, and a request that is refused. */
async function sendTraffic(url: string, round: number): Promise<void> {
  const query = { query: `Which rule ${round} holds for backups?` }
  const { body } = await sendJson(`${url}/query`, 'POST', query, { 'x-tenant-id': `tenant-${round % 2}` })
  await sendJson(`${url}/query`, 'POST', query)
  const rating = round % 3 === 0 ? 'up' : 'down'
  await sendJson(`${url}/feedback`, 'POST', { trace_id: body.trace_id, rating, category: 'slow' })
  await sendJson(`${url}/query`, 'POST', {})
}

before(() => {
  assert.ok(promtool('.', '--version').ok)
})

test('the configuration and the rules are valid, and the rules alert as they should', (t) => {
  const config = promtool(PROMETHEUS, 'check', 'config', 'prometheus.yml')
  assert.ok(config.ok, config.output)
  const rules = promtool(PROMETHEUS, 'test', 'rules', 'rules.test.yml')
  assert.ok(rules.ok, rules.output)
  for (const [from, to] of [
    ['> 3\n', '> 30\n'],
    ['apm_spans_dropped_total', 'apm_spans_droped_total'],
    ['* 1024 * 1024', '* 1024 * 1024 * 1024']
  ] as const) {
    const spoiled = copySpoiled(t, PROMETHEUS, from, to, 'rules.yml')
    assert.equal(promtool(spoiled, 'test', 'rules', 'rules.test.yml').ok, false, `${from} as ${to}`)
  }
})

test('every query of the rules and of the dashboard finds data of the running service', async (t) => {
  const { url } = await startServer({
    SAMPLING_RATE: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: await startSpanSink(t),
    TENANT_PLANS: 'tenant-1=enterprise'
  })
  const prometheusUrl = await startPrometheus(t, url)
  const queries = [...readRuleQueries(), ...readPanelQueries()]
  const names = [...new Set(queries.flatMap(namesOf))]
  assert.ok(
    queries.length >= 30 && names.length >= 25,
    `${queries.length} queries of ${names.length} metrics`
  )
  const all = [...queries, ...names.map((expr) => ({ where: 'metric', expr }))]

  let empty = ['not asked yet']
  const deadline = Date.now() + DATA_TIMEOUT_MS
  for (let round = 0; empty.length > 0 && Date.now() < deadline; round++) {
    await sendTraffic(url, round)
    await delay(500)
    if (round % 4 === 3) empty = await findEmpty(prometheusUrl, all)
  }
  assert.deepEqual(empty, [])

  await t.test('a wrong name finds none', async () => {
    const wrong = { where: 'here', expr: 'sum(rate(rag_cost_usdd_total[1m]))' }
    assert.equal((await findEmpty(prometheusUrl, [wrong])).length, 1)
  })

  await t.test('the buckets lead to traces that the service has', async () => {
    const selector = encodeURIComponent('http_request_duration_seconds_bucket{route="/query"}')
    const since = `start=${Date.now() / 1000 - 300}&end=${Date.now() / 1000}`
    const answer = await fetch(`${prometheusUrl}/api/v1/query_exemplars?query=${selector}&${since}`)
    const { data } = (await answer.json()) as { data: { exemplars: Exemplar[] }[] }
    // The newest: the service keeps its last 200 traces.
    const [newest] = data.flatMap(({ exemplars }) => exemplars).sort((a, b) => b.timestamp - a.timestamp)
    const traceId = newest?.labels.trace_id
    assert.equal((await fetch(`${url}/traces/${traceId}`)).status, 200)
  })

  await t.test('the metrics follow the conventions, as promtool checks them', async () => {
    const input = await (await fetch(`${url}/metrics`)).text()
    const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  })
})
