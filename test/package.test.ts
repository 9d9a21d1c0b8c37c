/**
 * The package as its users get it: packed, installed into an empty folder from its prebuild, and run there with nothing
 * on the PATH but Node and a shell, so that a compiler cannot come to its help.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const prebuild = join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'lstm-native.node')
const home = mkdtempSync(join(tmpdir(), 'lstm-native-package-'))
const installed = join(home, 'node_modules', 'lstm-native')

/** The environment of a machine without a compiler, a checkout's settings or a choice of back end. */
const environment: NodeJS.ProcessEnv = {
  PATH: join(home, 'bin'),
  HOME: process.env.HOME,
  npm_config_fund: 'false',
  npm_config_audit: 'false',
  npm_config_update_notifier: 'false',
}

beforeAll(async () => {
  if (!isFresh(prebuild)) await run('npm', ['run', 'prebuild'], { cwd: root })
  await run('npm', ['pack', '--pack-destination', home], { cwd: root })
  await mkdir(join(home, 'bin'))
  symlinkSync(process.execPath, join(home, 'bin', 'node'))
  symlinkSync('/bin/sh', join(home, 'bin', 'sh'))
  await writeFile(join(home, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const tarball = readdirSync(home).find((name) => name.endsWith('.tgz'))!
  const npm = await npmScript()
  await run(process.execPath, [npm, 'install', '--prefer-offline', join(home, tarball)], {
    cwd: home,
    env: environment,
  })
}, 240_000)

afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Whether a file is newer than what the addon is made of. */
function isFresh(path: string): boolean {
  if (!existsSync(path)) return false
  const built = statSync(path).mtimeMs
  const sources = readdirSync(join(root, 'native'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cc|h|gypi)$/.test(name) && !name.startsWith('test'))
    .map((name) => join(root, 'native', name))
  return [join(root, 'binding.gyp'), ...sources].every((source) => statSync(source).mtimeMs < built)
}

/** npm's own entry, to be run where `npm` is not on the PATH. */
async function npmScript(): Promise<string> {
  if (process.env.npm_execpath?.endsWith('npm-cli.js')) return process.env.npm_execpath
  const { stdout } = await run('npm', ['root', '--global'])
  return join(stdout.trim(), 'npm', 'bin', 'npm-cli.js')
}

/** Runs an ES module in the folder with the package installed, and returns what it wrote as JSON. */
async function runThere(source: string, env: NodeJS.ProcessEnv = {}) {
  const path = join(home, `program-${Math.random().toString(36).slice(2)}.mjs`)
  writeFileSync(path, source)
  const { stdout } = await run(process.execPath, [path], { cwd: home, env: { ...environment, ...env } })
  return JSON.parse(stdout)
}

const forward = `
  import { backend, LSTM, tensor } from 'lstm-native'
  const x = tensor(Float32Array.from({ length: 2 * 5 * 3 }, (_, i) => Math.sin(i)), { shape: [2, 5, 3] })
  const { output } = new LSTM({ inputSize: 3, hiddenSize: 4, seed: 7 }).forward(x)
  console.log(JSON.stringify({ ...backend(), shape: output.shape, values: [...output.data] }))`

describe('the packed tarball', () => {
  it('installs without compiling', () => {
    expect(existsSync(join(installed, 'prebuilds'))).toBe(true)
    expect(existsSync(join(installed, 'build'))).toBe(false)
  })

  it('runs natively from the prebuild, which needs no OpenBLAS', async () => {
    const native = await runThere(forward)
    expect(native).toMatchObject({ name: 'native', shape: [2, 5, 4] })
    expect(native.gemm).not.toMatch(/openblas/i)
    const reference = await runThere(forward, { LSTM_NATIVE_BACKEND: 'reference' })
    expect(reference.name).toBe('reference')
    // Float32 rounding of a sum of 7 products over 5 steps.
    for (const [i, value] of native.values.entries()) expect(value).toBeCloseTo(reference.values[i], 6)
  })

  it('says so and goes on in JavaScript where the addon is missing, unless native was asked for', async () => {
    const without = `
      process.dlopen = () => { throw new Error('no such addon') }
      ${forward}`
    const report = await runThere(without)
    expect(report.name).toBe('reference')
    expect(report.reason).toMatch(/did not load/)
    await expect(runThere(without, { LSTM_NATIVE_BACKEND: 'native' })).rejects.toThrow(/BackendError/)
  })

  it('loads nothing heavy with the core import', async () => {
    const loaded: string[] = await runThere(`
      import { register } from 'node:module'
      import { MessageChannel } from 'node:worker_threads'
      const { port1, port2 } = new MessageChannel()
      const urls = []
      port1.on('message', (url) => urls.push(url))
      register('data:text/javascript,' + encodeURIComponent(\`
        let port
        export const initialize = (data) => { port = data.port }
        export const load = (url, context, next) => { port.postMessage(url); return next(url, context) }\`),
        { parentURL: import.meta.url, data: { port: port2 }, transferList: [port2] })
      await import('lstm-native')
      await new Promise((done) => setTimeout(done, 50))
      port1.close()
      console.log(JSON.stringify(urls))`)
    const packages = loaded.map((url) => url.split('/node_modules/').at(-1)!.split('/')[0])
    expect(new Set(packages.filter((name) => !name.startsWith('node:')))).toEqual(new Set(['lstm-native']))
    expect(loaded.filter((url) => /\/dist\/(cli|serve|forecast)\//.test(url))).toEqual([])
  })

  it('opens the doors of its exports map and no other', async () => {
    const doors = await runThere(`
      const codes = {}
      for (const name of ['lstm-native', 'lstm-native/dist/index.js', 'lstm-native/lib/index.ts'])
        codes[name] = await import(name).then(() => 'open', (error) => error.code)
      codes['lstm-native/package.json'] =
        (await import('lstm-native/package.json', { with: { type: 'json' } })).default.name
      console.log(JSON.stringify(codes))`)
    expect(doors).toEqual({
      'lstm-native': 'open',
      'lstm-native/dist/index.js': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
      'lstm-native/lib/index.ts': 'ERR_PACKAGE_PATH_NOT_EXPORTED',
      'lstm-native/package.json': 'lstm-native',
    })
  })

  it('brings types that a strict program compiles against, and that refuse a wrong one', async () => {
    const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const compile = async (source: string) => {
      await writeFile(join(home, 'program.ts'), source)
      const settings = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023']
      const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node']
      return run(process.execPath, [tsc, ...settings, ...types, 'program.ts'], { cwd: home })
    }
    const correct = `import { LSTM, type Tensor, tensor } from 'lstm-native'
      const output: Tensor = new LSTM({ inputSize: 1, hiddenSize: 2 }).forward(tensor([[[1]]])).output
      console.log(output.shape)`
    await compile(correct)
    await expect(compile(correct.replace('hiddenSize', 'hidenSize'))).rejects.toMatchObject({
      stdout: expect.stringContaining('hidenSize'),
    })
  })

  it('brings the lstm command', async () => {
    const { stdout } = await run(join(home, 'node_modules', '.bin', 'lstm'), ['--help'], { env: environment })
    expect(stdout).toMatch(/train/)
  })

  it('holds what is needed and no tests', () => {
    const names = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    for (const needed of [
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'binding.gyp',
      'dist/index.d.ts',
      'native/kernels.h',
    ]) {
      expect(names).toContain(needed)
    }
    expect(names.filter((name) => /(^|\/)test(\/|$)|\.test\./.test(name))).toEqual([])
  })
})
