import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  Dropout,
  Embedding,
  FileFormatError,
  type Layer,
  LayerNorm,
  Linear,
  LSTM,
  LSTMCell,
  load,
  type Model,
  noGrad,
  parametersOf,
  Random,
  readMetadata,
  Sequential,
  save,
  seedAll,
  type Tensor,
  tensor,
} from 'lstm-native'
import { afterAll, describe, expect, it } from 'vitest'
import { encodeSafetensors, readSafetensors } from '../lib/formats/safetensors/index.ts'
import { ambientRandom } from '../lib/random.ts'
import { regressor, tagger, weightsOf } from './support/small-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-checkpoint-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

/** Writes what `save` would have written of `model`, changed. */
async function rewrite(
  model: Model,
  path: string,
  change: (
    tensors: Map<string, { shape: readonly number[]; data: Float64Array | Int32Array }>,
    texts: Map<string, string>,
  ) => void,
): Promise<string> {
  await save(model, path)
  const { tensors, metadata } = await readSafetensors(path)
  change(tensors as never, metadata)
  writeFileSync(path, encodeSafetensors(tensors, metadata))
  return path
}

describe('save and load', () => {
  it('bring back a model that predicts the same bits', async () => {
    const model = new Sequential([
      new Embedding({ vocabularySize: 7, embeddingSize: 3, seed: 1 }),
      new LSTM({
        inputSize: 3,
        hiddenSize: 5,
        numLayers: 2,
        bidirectional: true,
        projectionSize: 2,
        seed: 2,
        peepholes: true,
        dropout: 0.3,
      }),
      new LayerNorm({ size: 4 }),
      new Dropout({ probability: 0.5 }),
      new Linear({ inputSize: 4, outputSize: 2, seed: 3 }),
    ])
    await save(model, at('whole.safetensors'))
    const again = (await load(at('whole.safetensors'))) as Sequential
    expect(again.config()).toEqual(model.config())
    expect(weightsOf(again)).toEqual(weightsOf(model))
    const x = tensor(Int32Array.of(1, 2, 3, 4, 5, 6), { shape: [2, 3] })
    const predict = (m: Sequential) => noGrad(() => m.forward(x).toArray())
    expect(predict(again)).toEqual(predict(model))
  })

  it('use PyTorch names and keep float64', async () => {
    await save(regressor(), at('names.safetensors'))
    const { tensors, metadata } = await readSafetensors(at('names.safetensors'))
    expect([...tensors.keys()].sort()).toEqual([
      '0.bias_hh_l0',
      '0.bias_ih_l0',
      '0.weight_hh_l0',
      '0.weight_ih_l0',
      '2.bias',
      '2.weight',
    ])
    expect(tensors.get('0.weight_ih_l0')).toMatchObject({ shape: [16, 2], dataType: 'F64' })
    expect(metadata.get('format')).toBe('pt')
    expect(JSON.parse(metadata.get('lstm_native.config')!)).toMatchObject({
      version: 1,
      model: { type: 'Sequential' },
    })
  })

  it('carry texts of the caller', async () => {
    await save(regressor(), at('texts.safetensors'), { metadata: { scaling: '{"mean":3}', note: 'ü' } })
    const texts = await readMetadata(at('texts.safetensors'))
    expect([texts.get('scaling'), texts.get('note')]).toEqual(['{"mean":3}', 'ü'])
    await expect(save(regressor(), at('texts.safetensors'), { metdata: {} } as never)).rejects.toThrow(
      /did you mean "metadata"/,
    )
  })

  it('do not touch the ambient stream of random numbers', async () => {
    await save(new Linear({ inputSize: 2, outputSize: 1 }), at('stream.safetensors'))
    seedAll(3)
    await load(at('stream.safetensors'))
    expect(ambientRandom().uint32()).toBe(new Random(3).uint32())
  })

  it('of a class of its own need a model to load into', async () => {
    class Own implements Model {
      cell: LSTMCell
      head: Linear
      constructor(seed: number) {
        this.cell = new LSTMCell({ inputSize: 2, hiddenSize: 3, seed })
        this.head = new Linear({ inputSize: 3, outputSize: 1, seed })
      }
      forward(x: Tensor): Tensor {
        return this.head.forward(this.cell.forward(x).output)
      }
    }
    const [model, other] = [new Own(1), new Own(2)]
    await save(model, at('own.safetensors'))
    await expect(load(at('own.safetensors'))).rejects.toThrow(
      /make one with the same layers and call load\(path, \{ into: model \}\)/,
    )
    expect(await load(at('own.safetensors'), { into: other })).toBe(other)
    expect(weightsOf(other)).toEqual(weightsOf(model))
    await save(new Sequential([model, new Linear({ inputSize: 1, outputSize: 1 })]), at('mixed.safetensors'))
    await expect(load(at('mixed.safetensors'))).rejects.toMatchObject({ code: 'NoConfig' })
  })

  it('convert between float types when loading into a model', async () => {
    await save(regressor({ dataType: 'float32' }), at('narrow.safetensors'))
    const wide = await load(at('narrow.safetensors'), { into: regressor() })
    expect(weightsOf(wide)).toEqual(weightsOf(regressor({ dataType: 'float32' })))
    expect([...parametersOf(wide).values()].every(({ dataType }) => dataType === 'float64')).toBe(true)
  })
})

describe('a file that does not fit the model', () => {
  const refuse = async (
    path: string,
    expected: { code: string; tensor?: string },
    message: RegExp,
    model?: Layer,
  ) => {
    const into = model ?? tagger()
    const before = weightsOf(into)
    const error = await load(path, { into }).catch((e) => e)
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error).toMatchObject({ ...expected, path })
    expect(error.message).toMatch(message)
    expect(weightsOf(into)).toEqual(before)
  }
  const source = () => tagger({ dataType: 'float64' })

  it('is refused naming the tensor and the fix, and the model is untouched', async () => {
    const missing = await rewrite(source(), at('missing.safetensors'), (tensors) =>
      tensors.delete('0.bias_hh_l0'),
    )
    await refuse(
      missing,
      { code: 'MissingTensor', tensor: '0.bias_hh_l0' },
      /is missing in the file; build the model with/,
    )
    const renamed = await rewrite(source(), at('renamed.safetensors'), (tensors) => {
      tensors.set('0.bias_hh_10', tensors.get('0.bias_hh_l0')!)
      tensors.delete('0.bias_hh_l0')
    })
    await refuse(renamed, { code: 'MissingTensor', tensor: '0.bias_hh_l0' }, /the nearest is "0.bias_hh_10"/)
    const extra = await rewrite(source(), at('extra.safetensors'), (tensors) =>
      tensors.set('1.weigth', { shape: [1], data: Float64Array.of(1) }),
    )
    await refuse(
      extra,
      { code: 'UnexpectedTensor', tensor: '1.weigth' },
      /is no parameter of the model; the nearest is "1.weight"/,
    )
    const shape = await rewrite(source(), at('shape.safetensors'), (tensors) =>
      tensors.set('1.weight', { shape: [2, 2], data: new Float64Array(4) }),
    )
    await refuse(
      shape,
      { code: 'ShapeMismatch', tensor: '1.weight' },
      /has shape \[2,2\], the model's parameter \[1,4\]/,
    )
    const integers = await rewrite(source(), at('integers.safetensors'), (tensors) =>
      tensors.set('1.bias', { shape: [1], data: Int32Array.of(1) }),
    )
    await refuse(
      integers,
      { code: 'UnsupportedDataType', tensor: '1.bias' },
      /has elements of type I32; store floating-point numbers/,
    )
    await refuse(at('nothing.safetensors'), { code: 'ENOENT' }, /cannot be read/)
  })

  it('is refused where its configuration cannot be used', async () => {
    const key = 'lstm_native.config'
    const build = async (
      change: (config: { version: number; model: { type: string; layers: object[] } }) => unknown,
    ) => {
      const path = at('config.safetensors')
      await rewrite(source(), path, (_, texts) => {
        texts.set(key, JSON.stringify(change(JSON.parse(texts.get(key)!))))
      })
      return load(path).catch((e) => e)
    }
    expect(await build((config) => ({ ...config, version: 2 }))).toMatchObject({ code: 'UnsupportedVersion' })
    const unknown = await build(({ model }) => ({ version: 1, model: { ...model, type: 'Sequentiall' } }))
    expect(unknown).toMatchObject({ code: 'InvalidConfig' })
    expect(unknown.message).toMatch(/did you mean "Sequential"\?; if its layers are your own/)
    expect(await build(() => null)).toMatchObject({ code: 'UnsupportedVersion' })
    const broken = await rewrite(source(), at('broken.safetensors'), (_, texts) => texts.set(key, '{'))
    await expect(load(broken)).rejects.toMatchObject({ code: 'InvalidMetadata' })
  })

  it('is not written where the folder does not exist, and a model without parameters is not either', async () => {
    await expect(save(regressor(), at('no/where.safetensors'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(save({ forward: (x) => x }, at('empty.safetensors'))).rejects.toThrow(
      /has no parameters to write/,
    )
  })
})

describe('a process killed while it saves', () => {
  it('leaves the old file or the new one, whole', async () => {
    const kills = 12
    const random = new Random(1)
    const program = fileURLToPath(new URL('support/save-program.ts', import.meta.url))
    const found = new Set<number>()
    let halfWritten = 0
    const kill = async (n: number) => {
      const own = mkdtempSync(join(folder, 'kill-'))
      const path = join(own, 'model.safetensors')
      const child = spawn(process.execPath, ['--import', 'tsx', program, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await new Promise((resolve, reject) => {
        child.stdout.once('data', resolve)
        child.once('error', reject)
        child.once('exit', (code) =>
          reject(new Error(`save-program ended with ${code} before it saved anything`)),
        )
      })
      await wait(random.uniform(0, 30) + n)
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGKILL')
      await ended
      halfWritten += readdirSync(own).filter((name) => name.endsWith('.tmp')).length
      const model = (await load(path)) as Linear
      const values = new Set([...parametersOf(model).values()].flatMap(({ data }) => [...new Set(data)]))
      expect(values.size).toBe(1)
      found.add([...values][0])
    }
    for (let n = 0; n < kills; n += 4) await Promise.all([0, 1, 2, 3].map((i) => kill(n + i)))
    expect([...found].every((value) => value === 1 || value === 2)).toBe(true)
    // Otherwise no kill came in mid-save, and the test has shown nothing.
    expect(halfWritten).toBeGreaterThan(0)
  })
})
