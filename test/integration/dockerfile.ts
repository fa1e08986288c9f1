/** The parts of a Dockerfile that a test repeats without Docker. */
import { readFileSync } from 'node:fs'

export interface Instruction {
  name: string
  /** What follows the name, continuation lines joined. */
  text: string
  stage: number
}

export function readDockerfile(path: string): Instruction[] {
  const lines = readFileSync(path, 'utf8')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
  let stage = -1
  return lines.map(function toInstruction(line) {
    const [, name = '', text = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? []
    if (name === 'FROM') stage += 1
    return { name, text, stage }
  })
}

/** The words of an instruction's last form in the file: `["node", "server.ts"]` after HEALTHCHECK's CMD, for one. */
export function readCommand(text: string): string[] {
  const json = /\[".*\]$/.exec(text)?.[0]
  return json ? (JSON.parse(json) as string[]) : ['sh', '-c', text]
}
