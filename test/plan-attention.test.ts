/** Compiled plans of models with attention against the models they were made from; which layers have no frozen form. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { load, save } from '../lib/formats/checkpoint.ts'
import { compile } from '../lib/inference/plan.ts'
import { backend, setThreads, useBackend } from '../lib/kernels/index.ts'
import { activation } from '../lib/layers/activation.ts'
import { Attention, type AttentionLayerOptions } from '../lib/layers/attention.ts'
import { Conv1d } from '../lib/layers/convolution.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { EncoderDecoder } from '../lib/layers/encoder-decoder.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import { type Layer, parametersOf } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { MultiHeadAttention, type MultiHeadAttentionOptions } from '../lib/layers/multi-head-attention.ts'
import { LayerNorm } from '../lib/layers/normalization.ts'
import { GlobalAveragePool1d } from '../lib/layers/pooling.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Masking, Reverse, TimeDistributed } from '../lib/layers/steps.ts'
import { Random } from '../lib/random.ts'
import { noGrad } from '../lib/tape.ts'
import { Tensor } from '../lib/tensor.ts'

useBackend('native')
const { threads: usual } = backend()
const backends = ['reference', ...backend().available] as const
const folder = mkdtempSync(join(tmpdir(), 'lstm-native-plan-attention-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
  setThreads(usual)
})

const F = 18
const lstm = () => new LSTM({ inputSize: F, hiddenSize: F, seed: 2 })
const head = () => new Linear({ inputSize: F, outputSize: 3, seed: 4 })

function heads(options: Partial<MultiHeadAttentionOptions>): MultiHeadAttention {
  const layer = new MultiHeadAttention({ embedSize: F, heads: 3, seed: 1, ...options })
  // They start from zeros, which would hide them.
  const random = new Random(9)
  for (const bias of [layer.in_proj_bias, layer.out_proj.bias])
    bias?.write(Float32Array.from({ length: bias.size }, () => random.normal()))
  return layer
}
const scored = (options: Omit<AttentionLayerOptions, 'querySize'>) =>
  new Attention({ querySize: F, seed: 1, ...options })

/** Models of x [B, T, F]. */
const models: Record<string, () => Layer> = {
  'three heads': () => heads({}),
  'one head without biases': () => heads({ heads: 1, bias: false }),
  'heads of one number': () => heads({ heads: F }),
  'causal heads': () => heads({ causal: true }),
  'dropout, which a plan has none of': () => heads({ dropout: 0.5 }),
  'the dot product, and a head': () => new Sequential([scored({ score: 'dot' }), head()]),
  'the scaled dot product, and a head': () => new Sequential([scored({ score: 'scaled' }), head()]),
  'the general score': () => scored({ score: 'general' }),
  'the additive score': () => scored({ score: 'additive' }),
  'the additive score of another size': () => scored({ score: 'additive', size: 7 }),
  'an LSTM before, and the mean of the steps behind': () =>
    new Sequential([lstm(), heads({}), new GlobalAveragePool1d(), head(), activation('softmax')]),
  'layers of it, an LSTM and the last step': () =>
    new Sequential([
      new Masking({ value: 0.1 }),
      heads({ causal: true }),
      new LayerNorm({ size: F }),
      scored({ score: 'additive' }),
      new Reverse(),
      heads({ heads: 2 }),
      lstm(),
      new LastStep(),
    ]),
  'a convolution that changes the steps': () =>
    new Sequential([
      new Conv1d({ inputChannels: F, outputChannels: 8, kernelSize: 3, stride: 2, padding: 'same', seed: 5 }),
      new MultiHeadAttention({ embedSize: 8, heads: 2, seed: 6 }),
    ]),
}

function randomInput(shape: number[], seed = 3): Tensor {
  const random = new Random(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  const array = Float32Array.from({ length: size }, () => random.normal())
  // Every fifth step is 0.1 throughout.
  for (let n = 2; n * F < size; n += 5) array.fill(0.1, n * F, (n + 1) * F)
  return new Tensor(shape, array)
}

function holesIn(size: number): Uint8Array {
  const random = new Random(4)
  return Uint8Array.from({ length: size }, () => (random.uniform() < 0.4 ? 0 : 1))
}

const outputOf = (model: Layer, x: Tensor, options: object = {}): Tensor => {
  const result = noGrad(() => model.forward(x, options))
  return 'output' in result ? result.output : result
}

/** Plan and model call the same kernels on the same numbers: not a bit may differ. */
function expectSame(result: Tensor, expected: Tensor) {
  expect(result.shape).toEqual(expected.shape)
  expect(result.array).toEqual(expected.array)
}

describe.each(backends)('a plan on %s', (name) => {
  it.each(Object.entries(models))('gives the bits of the model with %s', (_, make) => {
    useBackend(name)
    const model = make()
    const plan = compile(model)
    for (const [B, T] of [
      [1, 1],
      [7, 9],
      [2, 33],
    ]) {
      const x = randomInput([B, T, F])
      const lengths = Int32Array.from({ length: B }, (_, b) => (b * 4) % (T + 1))
      const mask = holesIn(B * T)
      for (const given of [{}, { lengths }, { mask }, { mask: new Uint8Array(B * T) }, { mask, lengths }])
        expectSame(plan.predictSync(x, given), outputOf(model, x, given))
    }
  })

  // A convolution reads what stands behind a sequence: plans with one run sequences of equal length only.
  const unwindowed = Object.entries(models).filter(
    ([kind]) => kind !== 'a convolution that changes the steps',
  )

  it.each(unwindowed)('gives a sequence its bits whatever runs beside it: %s', (_, make) => {
    useBackend(name)
    const plan = compile(make())
    const [B, T] = [6, 40]
    const x = randomInput([B, T, F])
    const lengths = Int32Array.of(40, 1, 7, 17, 32, 39)
    const whole = plan.predictSync(x, { lengths })
    const width = whole.size / B
    for (const threads of [1, 2, 3]) {
      setThreads(threads)
      expectSame(plan.predictSync(x, { lengths }), whole)
    }
    setThreads(usual)
    for (const [b, length] of lengths.entries()) {
      const first = b * T * F
      const row = new Tensor([1, length, F], x.array.slice(first, first + length * F))
      const { array } = plan.predictSync(row)
      expect(array).toEqual(whole.array.slice(b * width, b * width + array.length))
    }
  })

  it.each(Object.entries(models))('comes back from a file: %s', async (_, make) => {
    useBackend(name)
    const model = make()
    const path = join(folder, 'model.safetensors')
    await save(model, path)
    const x = randomInput([3, 6, F])
    expectSame(compile((await load(path)) as Layer).predictSync(x), outputOf(model, x))
  })

  it('heeds the mask that an embedding makes', () => {
    useBackend(name)
    const embedding = (maskZero: boolean) =>
      new Embedding({ vocabularySize: 5, embeddingSize: F, maskZero, seed: 1 })
    const rest = () => [heads({}), new LastStep()]
    const tokens = new Tensor([3, 5], Int32Array.of(0, 3, 0, 4, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0))
    const model = new Sequential([embedding(true), ...rest()])
    expectSame(compile(model).predictSync(tokens), outputOf(model, tokens))
    const unmasked = compile(new Sequential([embedding(false), ...rest()])).predictSync(tokens)
    expect(unmasked.array).not.toEqual(outputOf(model, tokens).array)
  })

  it('takes no sequences, and sequences of no steps', () => {
    useBackend(name)
    const plan = compile(heads({}))
    expect(plan.predictSync(randomInput([0, 4, F])).shape).toEqual([0, 4, F])
    expect(plan.predictSync(randomInput([2, 0, F])).shape).toEqual([2, 0, F])
  })

  it('keeps the parameters as they are when it is made', () => {
    useBackend(name)
    const model = heads({})
    const plan = compile(model)
    const x = randomInput([2, 5, F])
    const before = plan.predictSync(x)
    for (const parameter of parametersOf(model).values()) parameter.data.fill(0)
    expectSame(plan.predictSync(x), before)
  })
})

it('a plan in float64 has attention, on the reference', () => {
  const model = new MultiHeadAttention({ embedSize: 4, heads: 2, causal: true, seed: 1, dataType: 'float64' })
  const x = new Tensor(
    [1, 3, 4],
    Float64Array.from({ length: 12 }, (_, i) => Math.sin(i)),
  )
  expectSame(compile(model).predictSync(x), outputOf(model, x))
})

describe('compile refuses, and says why,', () => {
  it('streams of attention, causal or not', () => {
    const stream = (layer: Layer) => () => compile(new Sequential([lstm(), layer])).stream()
    const reason = 'which needs the whole sequence and not only a state of what came before'
    expect(stream(heads({}))).toThrow(`stream: the model has attention, ${reason}`)
    expect(stream(scored({ score: 'general' }))).toThrow(`stream: the model has attention, ${reason}`)
    expect(stream(heads({ causal: true }))).toThrow(`stream: the model has causal attention, ${reason}`)
    expect(stream(heads({}))).toThrow(TypeError)
  })

  it('attention to another memory', () => {
    const general = new Attention({ score: 'general', querySize: 3, memorySize: 4 })
    expect(() => compile(general)).toThrow(
      'an Attention with a querySize of 3 and a memorySize of 4 has no frozen form',
    )
    const other = new MultiHeadAttention({ embedSize: 4, heads: 2, keySize: 3 })
    expect(() => compile(other)).toThrow('a keySize of 3 and a valueSize of 4 has no frozen form')
    expect(() => compile(new TimeDistributed(heads({})))).toThrow(
      'a TimeDistributed attention has no frozen form',
    )
  })

  const decoder = {
    sourceVocabulary: 3,
    targetVocabulary: 3,
    start: 0,
    end: 1,
    embeddingSize: 2,
    hiddenSize: 2,
  }
  /** Options of every layer that a file may hold. */
  const configs: Record<string, object> = {
    Activation: { kind: 'relu' },
    Attention: { score: 'dot', querySize: 2 },
    AveragePool1d: { size: 1 },
    AveragePool2d: { size: 1 },
    BatchNorm: { size: 2 },
    Conv1d: { kernelSize: 1, inputChannels: 1, outputChannels: 1 },
    Conv2d: { kernelSize: 1, inputChannels: 1, outputChannels: 1, inputWidth: 1 },
    Dropout: {},
    Embedding: { vocabularySize: 2, embeddingSize: 2 },
    EncoderDecoder: decoder,
    Flatten: {},
    GlobalAveragePool1d: {},
    GlobalAveragePool2d: {},
    GlobalMaxPool1d: {},
    GlobalMaxPool2d: {},
    LastStep: {},
    LayerNorm: { size: 2 },
    Linear: { inputSize: 2, outputSize: 2 },
    LSTM: { inputSize: 2, hiddenSize: 2 },
    LSTMCell: { inputSize: 2, hiddenSize: 2 },
    Masking: {},
    MaxPool1d: { size: 1 },
    MaxPool2d: { size: 1 },
    MultiHeadAttention: { embedSize: 2, heads: 1 },
    Reverse: {},
    RNN: { inputSize: 2, hiddenSize: 2 },
    Sequential: { layers: [] },
    TimeDistributed: { layer: { type: 'Linear', inputSize: 2, outputSize: 2 } },
  }

  it('of the layers that a file may hold, a cell and a model that writes only', () => {
    let known = ''
    try {
      layerFromConfig({ type: '' })
    } catch (error) {
      known = (error as Error).message
    }
    const types = known.split('known types: ')[1].split(', ')
    expect(Object.keys(configs).sort()).toEqual(types.sort())
    const refused: Record<string, string> = {}
    for (const [type, options] of Object.entries(configs)) {
      try {
        layerFromConfig({ type, ...options }).freeze()
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError)
        refused[type] = (error as Error).message
      }
    }
    expect(Object.keys(refused)).toEqual(['EncoderDecoder', 'LSTMCell'])
    expect(refused.EncoderDecoder).toContain('generate(model, { source }) takes the model as it is')
    expect(refused.LSTMCell).toContain('load its parameters into an LSTM')
  })

  it('the decoder of an EncoderDecoder', () => {
    expect(() => compile(new EncoderDecoder(decoder).decoder)).toThrow(
      'generate(model, { source }) takes the EncoderDecoder it belongs to as it is',
    )
  })
})
