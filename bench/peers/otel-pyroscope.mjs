/** OpenTelemetry's auto-instrumentations with Grafana's profiler, as its README shows it. */
import process from 'node:process'
import Pyroscope from '@pyroscope/nodejs'
import '@opentelemetry/auto-instrumentations-node/register'

Pyroscope.init({
  // biome-ignore lint/style/noProcessEnv: a preloaded module has no other way to learn it
  serverAddress: process.env.PYROSCOPE_SERVER_ADDRESS,
  appName: 'bench',
  wall: { collectCpuTime: true }
})
Pyroscope.start()
