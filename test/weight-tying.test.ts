/** One weight in two layers: trained with one gradient, stored once, loaded shared, and written for others as each may have it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  batches,
  compile,
  crossEntropy,
  dataSet,
  Embedding,
  fit,
  generate,
  Linear,
  LSTM,
  load,
  parametersOf,
  Sequential,
  save,
  Tensor,
} from 'lstm-native'
import {
  decodeSafetensors,
  encodeSafetensors,
  loadKeras,
  loadOnnx,
  loadPyTorchWeights,
  loadTfjs,
  openSafetensors,
  saveKeras,
  saveOnnx,
  savePyTorch,
  saveTfjs,
} from 'lstm-native/formats'
import { afterAll, describe, expect, it } from 'vitest'
import { expectGradients } from './support/finite-differences.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-tying-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type DataType = 'float32' | 'float64'

function tied(seed = 1, dataType: DataType = 'float32'): Sequential {
  const embedding = new Embedding({ vocabularySize: 5, embeddingSize: 4, deviation: 0.3, seed, dataType })
  return new Sequential([
    embedding,
    new LSTM({ inputSize: 4, hiddenSize: 4, seed: seed + 1, dataType }),
    new Linear({ inputSize: 4, outputSize: 5, weight: embedding.weight, seed: seed + 2, dataType }),
  ])
}

const x = new Tensor([2, 3], Int32Array.of(0, 1, 2, 3, 4, 0))
const outputOf = (model: Sequential) => [...model.forward(x).array]
const weightsOf = (model: Sequential) =>
  [model.layers[0], model.layers[2]].map((each) => (each as Linear).weight)

describe('a shared weight', () => {
  it('is one parameter, under the name of the first layer', () => {
    const model = tied()
    const names = [...parametersOf(model).keys()]
    expect(names).toContain('0.weight')
    expect(names).toContain('2.bias')
    expect(names).not.toContain('2.weight')
  })

  it('has one gradient, the sum of both uses', () => {
    const model = tied(1, 'float64')
    const targets = new Tensor([2, 3], Int32Array.of(1, 2, 3, 4, 0, 1))
    expectGradients(Object.fromEntries(parametersOf(model)), () => crossEntropy(model.forward(x), targets))
  })

  it('stays shared in training, where parameters move', async () => {
    const model = tied()
    const data = dataSet({ x, y: new Tensor([2, 3], Int32Array.of(1, 2, 3, 4, 0, 1)) })
    const options = { loss: crossEntropy, epochs: 40, optimizer: adam({ learningRate: 0.05 }), batchSize: 2 }
    let loss = Number.NaN
    for await (const epoch of fit(model, data, options)) loss = epoch.loss
    expect(loss).toBeLessThan(0.3)
    const [a, b] = weightsOf(model)
    expect(a).toBe(b)
    expect([...batches(data, { batchSize: 2 })].length).toBe(1)
  })

  it('runs in a plan, and generates', async () => {
    const model = tied()
    const plan = compile(model)
    expect([...plan.predictSync(x).array]).toEqual(outputOf(model))
    const { tokens } = await generate(plan, { prompt: [1], maxLength: 5 }).result()
    expect(tokens.length).toBe(5)
  })

  it('is refused where it does not fit', () => {
    const { weight } = new Embedding({ vocabularySize: 5, embeddingSize: 4, seed: 1 })
    expect(() => new Linear({ inputSize: 5, outputSize: 4, weight })).toThrow(
      'Linear: expected weight to be float32 [4, 5], got float32 [5,4]',
    )
    expect(() => new Linear({ inputSize: 4, outputSize: 5, weight, dataType: 'float64' })).toThrow(
      /float64 \[5, 4\]/,
    )
    const tensor = new Tensor([5, 4], new Float32Array(20)) as never
    expect(() => new Linear({ inputSize: 4, outputSize: 5, weight: tensor })).toThrow(
      /to be the parameter of a layer/,
    )
  })
})

describe('a file', () => {
  const path = join(folder, 'tied.safetensors')

  it('holds it once, and a model is loaded with it shared', async () => {
    const model = tied()
    await save(model, path)
    const file = await openSafetensors(path)
    await file.close()
    expect([...file.tensors.keys()]).not.toContain('2.weight')
    const loaded = (await load(path)) as Sequential
    const [a, b] = weightsOf(loaded)
    expect(a).toBe(b)
    expect(outputOf(loaded)).toEqual(outputOf(model))
    const into = await load(path, { into: tied(9) })
    expect(outputOf(into)).toEqual(outputOf(model))
  })

  it('of a model inside another keeps it shared, too', async () => {
    const model = new Sequential([tied()])
    await save(model, path)
    const loaded = (await load(path)) as Sequential
    const [a, b] = weightsOf(loaded.layers[0] as Sequential)
    expect(a).toBe(b)
  })

  it('cannot make a model share what it has not, or what is not alike', async () => {
    await save(tied(), path)
    const { tensors, metadata } = decodeSafetensors(await readFile(path))
    const damage = async (ties: object) => {
      const config = { ...JSON.parse(metadata.get('lstm_native.config')!), ties }
      const texts = { 'lstm_native.config': JSON.stringify(config) }
      await writeFile(path, encodeSafetensors(tensors, texts))
      return load(path)
    }
    await expect(damage({ '2.weight': '7.weight' })).rejects.toMatchObject({ code: 'InvalidConfig' })
    await expect(damage({ '2.gain': '0.weight' })).rejects.toThrow(/2.gain and 0.weight to share/)
    await expect(damage({ '2.bias': '0.weight' })).rejects.toThrow(
      /alike, got float32 \[5\] and float32 \[5,4\]/,
    )
    await expect(damage({ '2.bias': '0.weight' })).rejects.toMatchObject({ code: 'InvalidConfig' })
  })
})

describe('other formats', () => {
  const expectSame = (model: Sequential) => {
    const [actual, expected] = [outputOf(model), outputOf(tied())]
    for (const [i, each] of actual.entries()) expect(each).toBeCloseTo(expected[i], 5)
  }

  it('have it under both names: PyTorch, where load_state_dict wants them', async () => {
    const path = join(folder, 'tied.pytorch.safetensors')
    await savePyTorch(tied(), path)
    const file = await openSafetensors(path)
    await file.close()
    expect([...file.tensors.keys()]).toEqual(expect.arrayContaining(['0.weight', '2.weight']))
    const model = tied(9)
    await loadPyTorchWeights(model, path)
    expectSame(model)
    const { tensors } = decodeSafetensors(await readFile(path))
    await writeFile(
      path,
      encodeSafetensors(new Map([...tensors].filter(([name]) => name !== '0.weight')), {}),
    )
    const other = tied(10)
    await loadPyTorchWeights(other, path)
    expectSame(other)
  })

  it('have it twice: ONNX, Keras and TensorFlow.js', async () => {
    const model = tied()
    await saveOnnx(model, join(folder, 'tied.onnx'))
    expectSame((await loadOnnx(join(folder, 'tied.onnx'))).toModel() as Sequential)
    await saveKeras(model, join(folder, 'tied.keras'))
    expectSame((await loadKeras(join(folder, 'tied.keras'))) as Sequential)
    await saveTfjs(model, join(folder, 'tied-tfjs'))
    expectSame((await loadTfjs(join(folder, 'tied-tfjs', 'model.json'))) as Sequential)
  })
})
