/** docs/serving.md: its TypeScript type-checks and runs, its requests are answered, and its options are those of the command. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Linear, LSTM, Sequential, save } from 'lstm-native'
import { createServer, type InferenceServer } from 'lstm-native/serve'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../lib/cli/program.ts'
import { type Guide, readGuide } from './support/guide.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
let folder = ''
let guide: Guide
let text = ''
let server: InferenceServer
let url = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'serving-'))
  const model = new Sequential([
    new LSTM({ inputSize: 1, hiddenSize: 8, seed: 1 }),
    new Linear({ inputSize: 8, outputSize: 1, seed: 2 }),
  ])
  await save(model, join(folder, 'sunspots.safetensors'))
  guide = await readGuide('docs/serving.md', folder)
  text = guide.text
  server = await createServer({ models: [join(folder, 'sunspots.safetensors')], port: 0, logLevel: 'silent' })
  url = await server.listen()
})

afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function help(): Promise<string> {
  let printed = ''
  const terminal = { out: (part: string) => void (printed += part), error() {}, isInteractive: false }
  await run(['serve', '--help'], terminal)
  // An option's description goes on in lines that are set in further.
  return printed.replace(/\n {6,}/g, ' ')
}

describe('docs/serving.md', () => {
  it('starts a server that is ready', async () => {
    expect(await guide.output(0)).toEqual(['{ ready: true }'])
  })

  it('has streams and batches that give what they say', async () => {
    expect(await guide.output(1)).toEqual(['true', '100 [ 24, 1 ] 101'])
  })

  it('shares a plan with a worker', async () => {
    expect(Number.isFinite(Number((await guide.output(2)).join()))).toBe(true)
  })

  it('has requests that are answered', async () => {
    const commands = [...text.matchAll(/^```sh\n(.*?)^```$/gms)]
      .map(([, block]) => block)
      .join('')
      .split(/^(?=curl )/m)
      .filter((each) => each.startsWith('curl'))
    expect(commands.length).toBeGreaterThan(3)
    const answers = []
    for (const command of commands) {
      const [, path, body] = /^curl localhost:8080(\S+)(?: -d '(.*?)')?/s.exec(command)!
      const response = await fetch(url + path, body ? { method: 'POST', body } : {})
      expect(response.status, command).toBe(200)
      answers.push((await response.json()) as { outputs?: { shape: number[] }[]; parameters?: object })
    }
    expect(answers.map(({ outputs }) => outputs?.[0].shape)).toEqual([
      [-1, -1, 1],
      [2, 3, 1],
      [1, 1, 1],
      [1, 1, 1],
    ])
    expect(answers[3].parameters).toEqual({ sequence_id: 'anna', sequence_step: 1 })
  })

  it('names the paths that there are', async () => {
    const paths = [...text.matchAll(/`(GET|POST) (\/[^`\s]*)`/g)]
    expect(paths.length).toBeGreaterThan(7)
    for (const [, method, path] of paths) {
      const { status } = await fetch(url + path.replace('NAME', 'sunspots'), { method })
      // Inference wants a body.
      expect(status, path).toBe(path.endsWith('/infer') ? 400 : 200)
    }
  })

  it('has every option of the command, with its default, and no other', async () => {
    const written = new Map(
      [...text.matchAll(/^\| `--([a-z-]+)` \| (.*?) \|/gm)].map(([, name, value]) => [name, value]),
    )
    const real = [...(await help()).matchAll(/^ +--([a-z-]+).*?(?:\(default: "?(.*?)"?\))?$/gm)]
    expect(real.length).toBeGreaterThan(20)
    expect([...written.keys()].sort()).toEqual(real.map(([, name]) => name).sort())
    const given = real.filter(([, , value = '']) => /^([\d.]+|info)$/.test(value))
    expect(given.length).toBeGreaterThan(15)
    for (const [line, name, value] of given) expect(written.get(name), line).toBe(value)
    const elsewhere = [...text.matchAll(/`--([a-z-]+)`/g)].map((match) => match[1])
    const ofOthers = ['check', 'quick', 'only', 'json', 'import', 'stop-timeout', 'health-cmd']
    expect(elsewhere.filter((name) => !written.has(name) && !ofOthers.includes(name))).toEqual([])
  })

  it('names metrics that there are', async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const named = [...text.matchAll(/`(lstm_\w+)`/g)].map((match) => match[1])
    expect(named.length).toBeGreaterThan(8)
    expect(named.filter((name) => !metrics.includes(`# TYPE ${name} `))).toEqual([])
  })

  it('links to files that are there', async () => {
    const links = [...text.matchAll(/\]\((\.\.\/[^)#]+)\)/g)].map((match) => match[1])
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) await readFile(join(root, 'docs', link))
  })
})
