/**
 * The image and the manifests, without Docker or a cluster: their fields are what Docker, Kubernetes and KServe take, what they
 * name exists, and what the Dockerfile copies and starts is a server that answers their probes and ends as they expect.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { validate } from 'dockerfile-utils'
import { LSTM, Sequential, save } from 'lstm-native'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { run as runCommand } from '../lib/cli/program.ts'
import { defaults } from '../lib/serve/options.ts'
import { all, buildStages, copyOf, exec, stagesOf } from './support/dockerfile.ts'
import { numberOf, problemsOf } from './support/manifest.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const read = (name: string) => readFileSync(join(root, 'deploy', name), 'utf8')
const dockerfile = read('Dockerfile')
const stages = stagesOf(dockerfile)
const last = stages.at(-1)!

// biome-ignore lint/suspicious/noExplicitAny: manifests are checked by problemsOf before anything else looks into them
type Manifest = any

/** Lines that begin with `#` and not just one space are there to be switched on. */
const switchedOn = (text: string) => text.replace(/^( +)#(- | {2})/gm, '$1$2')

function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text, { strict: true, uniqueKeys: true }).map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([])
    return document.toJS()
  })
}

const manifests: [string, Manifest][] = [
  ['kserve.yaml', read('kserve.yaml')],
  ['kserve.yaml with Redis', switchedOn(read('kserve.yaml'))],
  ['deployment.yaml', read('deployment.yaml')],
].map(([name, text]) => [name, manifestsOf(text)[0]])

const podOf = ({ spec }: Manifest) => spec.predictor ?? spec.template.spec
const containerOf = (manifest: Manifest) => podOf(manifest).containers[0]

/** Of `--flag=value`, as a number; the server's default where it is not given. */
function flagOf({ args }: { args: string[] }, flag: string, otherwise: number): number {
  const given = args.find((arg) => arg.startsWith(`--${flag}=`))
  return given === undefined ? otherwise : Number(given.split('=')[1])
}

describe('the Dockerfile', () => {
  it('is one that Docker takes', () => {
    expect(validate(dockerfile)).toEqual([])
    expect(validate(`${dockerfile}ENTRYPOIN ["lstm"]\n`)).toHaveLength(1)
  })

  it('copies what is there, from stages that are there', () => {
    const aliases = stages.map(({ alias }) => alias)
    const copies = stages.flatMap((stage) => all(stage, 'COPY')).map(copyOf)
    expect(copies.length).toBeGreaterThan(5)
    for (const { from, sources } of copies) {
      if (from) expect(aliases).toContain(from)
      else for (const source of sources) expect(existsSync(join(root, source)), source).toBe(true)
    }
    expect(new Set(stages.map(({ image }) => image))).toEqual(new Set(['node:20-bookworm-slim']))
  })

  it('starts lstm serve itself, as somebody else than root, where others can reach it', () => {
    expect(exec(last, 'ENTRYPOINT').slice(0, 2)).toEqual(['lstm', 'serve'])
    expect(exec(last, 'ENTRYPOINT').join(' ')).toContain('--host 0.0.0.0')
    expect(all(last, 'STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(all(last, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/)
    expect(all(last, 'EXPOSE')).toEqual([String(defaults.port)])
    expect(exec(last, 'HEALTHCHECK').join(' ')).toContain(`http://127.0.0.1:${defaults.port}/v2/health/live`)
  })
})

describe.each(manifests)('%s', (_, manifest) => {
  it('has fields that are known, with values that they take', () => {
    expect(problemsOf(manifest)).toEqual([])
    const broken = structuredClone(manifest)
    containerOf(broken).livenesProbe = {}
    containerOf(broken).resources.limits.memory = '1GB'
    expect(problemsOf(broken).map((each) => each.replace(/^.*\[0\]\./, ''))).toEqual([
      'livenesProbe: no such field',
      'resources.limits.memory: expected a quantity, got "1GB"',
    ])
  })

  it('asks for no more than it may have', () => {
    const { requests, limits } = containerOf(manifest).resources
    for (const each of ['cpu', 'memory'])
      expect(numberOf(requests[each])).toBeLessThanOrEqual(numberOf(limits[each]))
  })

  it('names ports, volumes and variables that are there', () => {
    const container = containerOf(manifest)
    const port = flagOf(container, 'port', defaults.port)
    expect(container.ports.map((each: Manifest) => each.containerPort)).toEqual([port])
    const { startupProbe, livenessProbe, readinessProbe, args, env } = container
    for (const each of [startupProbe, livenessProbe, readinessProbe]) expect(each.httpGet.port).toBe(port)
    const volumes = podOf(manifest).volumes.map(({ name }: Manifest) => name)
    expect(container.volumeMounts.map(({ name }: Manifest) => name).sort()).toEqual(volumes.sort())
    const variables = [...args.join(' ').matchAll(/\$\((\w+)\)/g)].map((match) => match[1])
    const others = ['PROTOCOL', 'STORAGE_URI']
    expect(variables).toEqual(
      env.map(({ name }: Manifest) => name).filter((name: string) => !others.includes(name)),
    )
  })

  it('gives the server the time that it may take to end', () => {
    const container = containerOf(manifest)
    const takes =
      flagOf(container, 'drain-delay', defaults.drainDelay) +
      flagOf(container, 'drain-timeout', defaults.drainTimeout)
    const { periodSeconds, failureThreshold } = container.readinessProbe
    expect(podOf(manifest).terminationGracePeriodSeconds * 1000).toBeGreaterThan(takes)
    // Who is not ready is found out before connections are refused.
    expect(flagOf(container, 'drain-delay', defaults.drainDelay)).toBeGreaterThan(
      periodSeconds * failureThreshold * 1000,
    )
  })

  it('gives options that lstm serve has', async () => {
    const refusal = async (args: string[]) => {
      let text = ''
      const terminal = { out() {}, error: (line: string) => void (text += line), isInteractive: false }
      return [await runCommand(['serve', ...args], terminal), text]
    }
    const { args } = containerOf(manifest)
    // Options that it takes lead on to the files, which only the cluster has.
    expect(await refusal(args)).toEqual([
      2,
      expect.stringMatching(/^lstm: \/etc\/lstm\/keys: cannot be read/),
    ])
    expect(await refusal([...args, '--drain=1'])).toEqual([
      2,
      expect.stringMatching(/unknown option '--drain=1'/),
    ])
  })
})

describe('kserve.yaml', () => {
  const [, manifest] = manifests[0]

  it('speaks version 2, of a model by the name of the service', () => {
    const { name, args, env } = containerOf(manifest)
    // KServe looks for both by these names.
    expect(name).toBe('kserve-container')
    expect(env).toContainEqual({ name: 'PROTOCOL', value: 'v2' })
    expect(args[0]).toBe(`${manifest.metadata.name}=/mnt/models`)
  })

  it('can share states in Redis, by lines that are left out', () => {
    const [plain, shared] = manifests.map(([, each]) => containerOf(each).args.join(' '))
    expect(plain).not.toContain('--state')
    expect(shared).toContain('--state=$(STATE_URL)')
  })
})

describe('deployment.yaml', () => {
  it('has a service that finds its pods', () => {
    const [deployment, service] = manifestsOf(read('deployment.yaml'))
    expect(problemsOf(service)).toEqual([])
    expect(deployment.spec.template.metadata.labels).toMatchObject(service.spec.selector)
    expect(deployment.spec.template.metadata.labels).toMatchObject(deployment.spec.selector.matchLabels)
    expect(service.spec.ports[0].targetPort).toBe(containerOf(deployment).ports[0].containerPort)
  })
})

describe('what the Dockerfile makes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'deploy-'))
  let image = ''
  let server: ChildProcess
  let port = ''

  const health = () => {
    const [command, ...args] = exec(last, 'HEALTHCHECK').map((word) =>
      word.replace(`:${defaults.port}/`, `:${port}/`),
    )
    return promisify(execFile)(command, args)
  }

  beforeAll(async () => {
    const stands = {
      'apt-get': () => {},
      rm: () => {},
      'npm ci': (cwd: string) => symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules')),
      'npm prune': () => {},
      // The checkout's own addon, but only if all is there of which one would be made.
      'npm run prebuild': (cwd: string) => {
        for (const name of [
          'package.json',
          'binding.gyp',
          'native/sources.gypi',
          'scripts/prebuild.mjs',
          'node_modules',
        ])
          expect(existsSync(join(cwd, name)), name).toBe(true)
        const prebuilds = join(cwd, 'prebuilds', `${process.platform}-${process.arch}`)
        mkdirSync(prebuilds, { recursive: true })
        cpSync(join(root, 'build/Release/lstm_native.node'), join(prebuilds, 'lstm-native.node'))
      },
    }
    image = await buildStages(stages, { context: root, folder, stands })
    mkdirSync(join(folder, 'mnt/models/1'), { recursive: true })
    await save(
      new Sequential([new LSTM({ inputSize: 2, hiddenSize: 3 })]),
      join(folder, 'mnt/models/1/model.safetensors'),
    )
    mkdirSync(join(folder, 'etc/lstm'), { recursive: true })
    writeFileSync(join(folder, 'etc/lstm/keys'), 'secret\n')
    const [command, ...words] = exec(last, 'ENTRYPOINT')
    const args = containerOf(manifests[0][1]).args.map((arg: string) => arg.replace(/=\//, `=${folder}/`))
    const own = ['--host=127.0.0.1', '--port=0', '--drain-delay=0']
    server = spawn(join(image, 'usr/local/bin', command), [...words, ...args, ...own])
    let log = ''
    server.stderr!.on('data', (chunk) => (log += chunk))
    for await (const chunk of server.stdout!) {
      log += chunk
      port = /listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1] ?? ''
      if (port) return
    }
    throw new Error(`expected a server that listens, got ${log}`)
  }, 240_000)

  afterAll(() => {
    server?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  it('answers the probes and the health check, and asks others for a key', async () => {
    const { startupProbe, livenessProbe, readinessProbe, args } = containerOf(manifests[0][1])
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe])
      expect((await fetch(`http://127.0.0.1:${port}${httpGet.path}`)).status, httpGet.path).toBe(200)
    await health()
    const model = `http://127.0.0.1:${port}/v2/models/${args[0].split('=')[0]}`
    expect((await fetch(model)).status).toBe(401)
    const found = await fetch(model, { headers: { authorization: 'Bearer secret' } })
    expect(await found.json()).toMatchObject({ name: 'sunspots', versions: ['1'] })
  })

  it('ends well by the stop signal, after which the health check fails', async () => {
    const ended = new Promise((resolve) => server.once('exit', (code) => resolve(code)))
    server.kill(all(last, 'STOPSIGNAL')[0] as NodeJS.Signals)
    expect(await ended).toBe(0)
    await expect(health()).rejects.toMatchObject({ code: 1 })
  })
})
