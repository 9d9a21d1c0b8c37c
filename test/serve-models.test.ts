/** Models by name and version, in every format; and what happens when their files change under the server. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile, type Layer, save, tensor } from 'lstm-native'
import { saveKeras, saveOnnx, saveTfjs } from 'lstm-native/formats'
import { createServer } from 'lstm-native/serve'
import { describe, expect, it } from 'vitest'
import { get, last, newFolder, post, saved, started, steps, x } from './support/inference-server.ts'

const row = [0.1, -0.2, 0.3]
const request = { inputs: [x(row, [1, 1, 3])] }
function expected(model: Layer): number[] {
  return [...compile(model).predictSync(tensor(Float32Array.from(row), { shape: [1, 1, 3] })).data]
}

async function answerOf(url: string, path = 'steps'): Promise<number[]> {
  return (await post(`${url}/v2/models/${path}/infer`, request)).body.outputs?.[0].data
}

/** As a deployment does it: the new file takes the place of the old one whole. */
async function replace(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  await write(`${path}.new`)
  await rename(`${path}.new`, path)
}

async function metric(url: string, name: string): Promise<number> {
  const text = (await get(`${url}/metrics`)).body.toString()
  return Number(
    text
      .split('\n')
      .find((line: string) => line.startsWith(`${name} `))
      ?.split(' ')
      .at(-1),
  )
}

describe('models', () => {
  it('have a name and a version, given or found', async () => {
    const [path] = await saved({ 'my.model-1': steps() })
    const { url } = await started({ models: [path, `renamed=${path}`, `both:2=${path}`, `both:10=${path}`] })
    const { body } = await post(`${url}/v2/repository/index`, {})
    expect(body.map(({ name, version }: { name: string; version: string }) => `${name}:${version}`)).toEqual([
      'my.model-1:1',
      'renamed:1',
      'both:10',
      'both:2',
    ])
    expect((await get(`${url}/v2/models/both`)).body.versions).toEqual(['10', '2'])
  })

  it('come in versions of a folder, of which the highest answers', async () => {
    const folder = join(await newFolder(), 'forecast')
    for (const [version, name] of [
      ['1', 'model.safetensors'],
      ['2', 'weights.safetensors'],
      ['10', 'model.safetensors'],
    ]) {
      await mkdir(join(folder, version), { recursive: true })
      await save(steps(Number(version)), join(folder, version, name))
    }
    const { url } = await started({ models: [folder] })
    expect(await answerOf(url, 'forecast')).toEqual(expected(steps(10)))
    for (const version of [1, 2, 10])
      expect(await answerOf(url, `forecast/versions/${version}`)).toEqual(expected(steps(version)))
  })

  it('may be of any format', async () => {
    const folder = await newFolder()
    await saveOnnx(last(), join(folder, 'o.onnx'))
    await saveKeras(last(), join(folder, 'k.keras'))
    await saveTfjs(last(), join(folder, 't.tfjs'))
    const { url } = await started({
      models: ['o.onnx', 'k.keras', 't.tfjs'].map((name) => join(folder, name)),
    })
    for (const [name, format] of [
      ['o', 'onnx'],
      ['k', 'keras'],
      ['t', 'tfjs'],
    ]) {
      expect((await get(`${url}/v2/models/${name}`)).body.platform).toBe(`lstm-native_${format}`)
      expect(await answerOf(url, name)).toEqual(expected(last()))
    }
  })

  it.each([
    [['/no/such/file'], /\/no\/such\/file: cannot be served: ENOENT/],
    [['odd name='], /odd name=: give it a name of letters, digits/],
    [[], /expected models as an array of at least one/],
  ])('that cannot be served keep a server from starting: %j', async (models, message) => {
    await expect(createServer({ models })).rejects.toThrow(message)
  })

  it('that are garbage, empty or the same twice keep a server from starting', async () => {
    const [path] = await saved({ steps: steps() })
    const folder = await newFolder()
    await writeFile(join(folder, 'bad.safetensors'), 'garbage')
    await mkdir(join(folder, 'empty'))
    const start = (...models: string[]) => createServer({ models, logLevel: 'silent' })
    await expect(start(join(folder, 'bad.safetensors'))).rejects.toThrow(/bad.safetensors/)
    await expect(start(join(folder, 'empty'))).rejects.toThrow(
      /expected a model file, a TensorFlow.js folder .* or folders 1, 2/,
    )
    await expect(start(`stats=${path}`)).rejects.toThrow(/statistics of all models: give it another name/)
    await expect(start(path, path)).rejects.toThrow(
      /got steps in version 1 twice; give them as NAME:VERSION=PATH/,
    )
  })

  it('whose weights are no numbers keep a server from starting', async () => {
    const model = steps()
    ;(model.layers[1] as unknown as { bias: { data: Float32Array } }).bias.data.fill(Number.NaN)
    await expect(
      createServer({ models: await saved({ broken: model }), logLevel: 'silent' }),
    ).rejects.toThrow(
      /broken.safetensors: expected finite outputs for an input of zeros, got NaN at element 0/,
    )
  })
})

describe('a reload', () => {
  it('takes the new file, and requests under way end on the old one', async () => {
    const [path] = await saved({ steps: steps(1) })
    const { url, server } = await started({ models: [path], watch: false })
    await replace(path, (to) => save(steps(2), to))
    expect(await answerOf(url)).toEqual(expected(steps(1)))
    let isLoading = true
    const loading = server.reload().finally(() => (isLoading = false))
    const answers: Promise<number[]>[] = []
    while (isLoading) {
      answers.push(answerOf(url))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect(await loading).toEqual({ loaded: 1, failed: [] })
    for (const answer of await Promise.all(answers))
      expect([expected(steps(1)), expected(steps(2))]).toContainEqual(answer)
    expect(await answerOf(url)).toEqual(expected(steps(2)))
    expect(await metric(url, 'lstm_model_reloads_total{model="steps",version="1",outcome="ok"}')).toBe(1)
  })

  it.each([
    ['garbage', 'garbage'],
    ['nothing', ''],
    ['half a file', undefined],
  ])('of %s leaves the old model at work, logged and counted', async (_, text) => {
    const [path] = await saved({ steps: steps(1) })
    const { url, server, log } = await started({ models: [path], watch: false })
    const whole = await (await import('node:fs/promises')).readFile(path)
    await replace(path, (to) => writeFile(to, text ?? whole.subarray(0, whole.length / 2)))
    const { loaded, failed } = await server.reload()
    expect([loaded, failed.length, failed[0].name]).toEqual([0, 1, 'steps'])
    expect(await answerOf(url)).toEqual(expected(steps(1)))
    expect((await get(`${url}/v2/health/ready`)).status).toBe(200)
    expect(log.find(({ level }) => level === 50)).toMatchObject({
      model: 'steps',
      msg: expect.stringMatching(/not reloaded/),
    })
    expect(await metric(url, 'lstm_model_reloads_total{model="steps",version="1",outcome="failed"}')).toBe(1)
    await replace(path, (to) => save(steps(3), to))
    await server.reload()
    expect(await answerOf(url)).toEqual(expected(steps(3)))
  })

  it('comes by itself when a file is another, and only then', async () => {
    const paths = await saved({ steps: steps(1), other: steps(5) })
    const { url } = await started({ models: paths })
    await replace(paths[0], (to) => save(steps(2), to))
    const end = performance.now() + 15_000
    while (performance.now() < end && String(await answerOf(url)) !== String(expected(steps(2))))
      await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await answerOf(url)).toEqual(expected(steps(2)))
    expect(await metric(url, 'lstm_model_reloads_total{model="steps",version="1",outcome="ok"}')).toBe(1)
    expect(await metric(url, 'lstm_model_reloads_total{model="other",version="1",outcome="ok"}')).toBe(0)
  })

  it('finds versions that have come', async () => {
    const folder = join(await newFolder(), 'forecast')
    const add = async (version: string) => {
      await mkdir(join(folder, version), { recursive: true })
      await save(steps(Number(version)), join(folder, version, 'model.safetensors'))
    }
    await add('1')
    const { url, server } = await started({ models: [folder] })
    await add('2')
    expect((await server.reload()).failed).toEqual([])
    expect(await answerOf(url, 'forecast')).toEqual(expected(steps(2)))
    expect(await answerOf(url, 'forecast/versions/1')).toEqual(expected(steps(1)))
  })

  it('lets sequences go on whose states still fit, and ends others', async () => {
    const [path] = await saved({ steps: steps(1) })
    const { url, server } = await started({ models: [path], watch: false })
    const step = (parameters: object) => post(`${url}/v2/models/steps/infer`, { ...request, parameters })
    await step({ sequence_id: 1, sequence_start: true })
    await replace(path, (to) => save(steps(2), to))
    await server.reload()
    const { body } = await step({ sequence_id: 1 })
    const { state } = compile(steps(1)).predictSync(tensor([[row]]), { state: null })
    const { output } = compile(steps(2)).predictSync(tensor([[row]]), { state })
    expect(body.outputs[0].data).toEqual([...output.data])
    await replace(path, (to) => save(steps(2, 7), to))
    await server.reload()
    const ended = await step({ sequence_id: 1 })
    expect([ended.status, ended.body.error]).toEqual([409, expect.stringMatching(/state/)])
    expect((await step({ sequence_id: 1, sequence_start: true })).body.outputs[0].data).toEqual(
      expected(steps(2, 7)),
    )
  })
})
