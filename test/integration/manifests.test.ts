/** docker-compose.yml as compose reads it, and the Kubernetes overlays against Kubernetes' own schemas. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { parseConfig } from '../../src/config.ts'
import { copySpoiled } from './spoiled.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const KUBERNETES = path.join(ROOT, 'deploy/kubernetes')
const COMPOSE_FILE = path.join(ROOT, 'docker-compose.yml')

function tool(name: string): string {
  const directory = process.env.DEPLOY_TOOLS
  assert.ok(
    directory,
    'DEPLOY_TOOLS names the directory of docker-compose, kustomize and kubernetes-validate'
  )
  return path.join(directory, name)
}

interface ComposeService {
  ports?: { host_ip?: string; published: string }[]
  image?: string
  healthcheck?: object
  mem_limit?: string
  cpus?: number
  pids_limit?: number
  depends_on?: Record<string, { condition: string }>
  environment?: Record<string, string>
  profiles?: string[]
}

/** The compose file as compose itself understands it; it needs no engine for that. */
function readCompose(file: string): Record<string, ComposeService> {
  const config = ['--file', file, '--profile', '*', 'config', '--format', 'json']
  return JSON.parse(execFileSync(tool('docker-compose'), config, { encoding: 'utf8', stdio: 'pipe' }))
    .services
}

function buildOverlay(directory: string): string {
  return execFileSync(tool('kustomize'), ['build', directory], { encoding: 'utf8', stdio: 'pipe' })
}

/** What Kubernetes' schemas say of the manifests; empty when they find nothing. */
function findFaults(manifests: string): string {
  const { status, stdout, stderr } = spawnSync(tool('kubernetes-validate'), ['--strict', '--quiet', '-'], {
    input: manifests,
    encoding: 'utf8'
  })
  return status === 0 ? '' : stdout + stderr
}

interface Manifest {
  kind: string
  metadata: { name: string; namespace?: string }
  // biome-ignore lint/suspicious/noExplicitAny: manifests of every kind, checked against their schemas above.
  spec?: any
}

function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest)
}

test('compose loads the file; a wrong field, a wrong service to wait for and a wrong volume are refused', (t) => {
  assert.ok(readCompose(COMPOSE_FILE).service)
  for (const [from, to] of [
    ['mem_limit', 'mem_limt'],
    ['      jaeger:\n        condition', '      jager:\n        condition'],
    ['documents:/var', 'document:/var']
  ] as const) {
    assert.throws(() => readCompose(copySpoiled(t, COMPOSE_FILE, from, to)), `${from} as ${to}`)
  }
})

test('every container is pinned, limited, healthy in order, and published on 127.0.0.1 only', () => {
  const services = readCompose(COMPOSE_FILE)
  for (const [name, service] of Object.entries(services)) {
    for (const { host_ip } of service.ports ?? []) assert.equal(host_ip, '127.0.0.1', name)
    if (service.image) assert.match(service.image, /:v?\d+\.\d+/, name)
    // The service's own is in its image.
    assert.ok(service.healthcheck ?? name === 'service', `${name} has no health check`)
    assert.ok(service.mem_limit && service.cpus && service.pids_limit, `${name} has no limits`)
    for (const { condition } of Object.values(service.depends_on ?? {}))
      assert.equal(condition, 'service_healthy')
  }
  assert.deepEqual(Object.keys(services.service?.depends_on ?? {}).toSorted(), ['jaeger', 'postgresql'])
  assert.deepEqual(services['datadog-agent']?.profiles, ['datadog'])
})

test('the service sends to the agent of the profile once .env has a key', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'compose-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const file = path.join(directory, 'docker-compose.yml')
  copyFileSync(COMPOSE_FILE, file)
  assert.equal(readCompose(file).service?.environment?.DD_AGENT_HOST, '')
  writeFileSync(path.join(directory, '.env'), 'DD_API_KEY=0123456789\n')
  assert.equal(readCompose(file).service?.environment?.DD_AGENT_HOST, 'datadog-agent')
})

for (const overlay of ['one-node', 'scale']) {
  test(`the overlay ${overlay} meets Kubernetes' schemas`, () => {
    assert.equal(findFaults(buildOverlay(path.join(KUBERNETES, 'overlays', overlay))), '')
  })

  test(`the overlay ${overlay}: no container that could harm its node, no secret by value`, () => {
    const manifests = readManifests(buildOverlay(path.join(KUBERNETES, 'overlays', overlay)))
    assert.ok(!manifests.some(({ kind }) => kind === 'Secret'))
    const pods = manifests.map(({ spec }) => spec?.jobTemplate?.spec.template.spec ?? spec?.template?.spec)
    for (const pod of pods.filter(Boolean)) {
      assert.equal(pod.securityContext.runAsNonRoot, true)
      assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault')
      assert.equal(pod.automountServiceAccountToken, false)
      for (const container of pod.containers) {
        assert.match(container.image, /:\d+\.\d+/)
        assert.deepEqual(container.securityContext, {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] }
        })
        assert.ok(container.resources.requests && container.resources.limits)
      }
    }
  })

  test(`the overlay ${overlay}: each policy, service and budget selects pods that exist`, () => {
    const manifests = readManifests(buildOverlay(path.join(KUBERNETES, 'overlays', overlay)))
    const labels = new Set(
      manifests
        .map(({ spec }) => spec?.jobTemplate?.spec.template ?? spec?.template)
        .filter(Boolean)
        .map((template) => template.metadata.labels['app.kubernetes.io/name'])
    )
    for (const { kind, metadata, spec } of manifests) {
      const selector = kind === 'Service' ? spec.selector : (spec?.podSelector ?? spec?.selector)?.matchLabels
      const name = selector?.['app.kubernetes.io/name']
      if (name) assert.ok(labels.has(name), `${kind} ${metadata.name} selects "${name}", which is no pod`)
    }
  })
}

test('a wrong field and a wrong type are found in the manifests', (t) => {
  for (const [from, to] of [
    ['periodSeconds: 20', 'periodSecond: 20'],
    ['failureThreshold: 6', 'failureThreshold: six'],
    ['runAsNonRoot: true', 'runAsNoRoot: true']
  ] as const) {
    const copy = copySpoiled(t, KUBERNETES, from, to, 'base/deployment.yaml')
    assert.notEqual(findFaults(buildOverlay(path.join(copy, 'overlays/one-node'))), '', `${from} as ${to}`)
  }
})

test('the settings in the manifests are settings of the service, with values that it takes', () => {
  for (const overlay of ['one-node', 'scale']) {
    const manifests = readManifests(buildOverlay(path.join(KUBERNETES, 'overlays', overlay)))
    const settings = manifests.find(({ metadata }) => metadata.name.startsWith('rag-settings'))
    const data = (settings as unknown as { data: Record<string, string> }).data
    const known = readFileSync(path.join(ROOT, '.env.example'), 'utf8')
    for (const name of Object.keys(data)) assert.match(known, new RegExp(`^${name}=`, 'm'))
    assert.ok(parseConfig(data))
  }
})

test('what Alloy fetches are routes of the service', () => {
  const alloy = readFileSync(path.join(KUBERNETES, 'profiles/config.alloy'), 'utf8')
  const routes = readFileSync(path.join(ROOT, 'src/routes/pprof.ts'), 'utf8')
  const paths = [...alloy.matchAll(/path\s+= "([^"]+)"/g)].map(([, each = '']) => each)
  assert.deepEqual(paths, ['/debug/pprof/profile', '/debug/pprof/heap'])
  for (const each of paths) assert.ok(routes.includes(`'${each}'`), each)
})
