/** Models of Keras give what Keras gave for them, on both back ends, and models of ours go there and back unchanged. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import {
  decodeKeras,
  decodeKerasWeights,
  encodeKeras,
  encodeKerasWeights,
  loadKeras,
  loadKerasWeights,
  saveKeras,
} from '../lib/formats/keras/index.ts'
import {
  AveragePool1d,
  activation,
  Conv1d,
  compile,
  Dropout,
  Embedding,
  Flatten,
  GlobalMaxPool1d,
  type Layer,
  LayerNorm,
  Linear,
  LSTM,
  lastStep,
  load,
  Masking,
  MaxPool1d,
  type Model,
  parametersOf,
  Reverse,
  Sequential,
  save,
  TimeDistributed,
  tensor,
  useBackend,
} from '../lib/index.ts'
import { expectRecorded, fixture, fixturePath, recorded, run } from './support/keras.ts'
import { refusal } from './support/refusal.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-keras-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => useBackend('native'))

const files = ['interop', 'keras'].flatMap((each) =>
  readdirSync(fixturePath(each))
    .filter((name) => /\.(keras|h5)$/.test(name) && !/weights\.h5$|^(forms|refused)/.test(name))
    .map((name) => `${each}/${name}`),
)

const hardSigmoid = { kind: 'hardSigmoid', alpha: 1 / 6, beta: 0.5 } as const

/** The networks of make_keras.py, as one would write them here. */
const networks: Record<string, () => Sequential> = {
  keras_forecaster: () =>
    new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 16 }),
      new Dropout({ probability: 0.2 }),
      new LSTM({ inputSize: 16, hiddenSize: 8, returnSequences: false }),
      new Linear({ inputSize: 8, outputSize: 2 }),
    ]),
  keras_tagger: () =>
    new Sequential([
      new Embedding({ vocabularySize: 50, embeddingSize: 12 }),
      new LSTM({ inputSize: 12, hiddenSize: 10, bidirectional: true }),
      new TimeDistributed(
        new Sequential([new Linear({ inputSize: 20, outputSize: 7 }), activation('softmax')]),
      ),
    ]),
  keras_masked_classifier: () =>
    new Sequential([
      new Embedding({ vocabularySize: 30, embeddingSize: 8, maskZero: true }),
      new LSTM({ inputSize: 8, hiddenSize: 9, returnSequences: false }),
      new Linear({ inputSize: 9, outputSize: 3 }),
      activation('softmax'),
    ]),
  keras_hard_sigmoid: () =>
    new Sequential([
      new LSTM({ inputSize: 4, hiddenSize: 6, reverse: true, gateActivation: hardSigmoid }),
      new Reverse(),
    ]),
  keras_conv_lstm: () =>
    new Sequential([
      new Conv1d({ inputChannels: 3, outputChannels: 8, kernelSize: 5, padding: 'same' }),
      activation('relu'),
      new MaxPool1d({ size: 2 }),
      new LSTM({ inputSize: 8, hiddenSize: 12, returnSequences: false }),
      new Linear({ inputSize: 12, outputSize: 1 }),
      activation('sigmoid'),
    ]),
}

/** Numbers of every parameter, bit by bit. */
function bitsOf(model: Model): [name: string, bits: Uint32Array][] {
  return [...parametersOf(model)].map(([name, { data }]) => [
    name,
    new Uint32Array((data as Float32Array).slice().buffer),
  ])
}

describe('a model of Keras', () => {
  it('is there', () => expect(files.length).toBeGreaterThan(20))

  it.each(files)('%s gives what it gave', async (name) => {
    expectRecorded(name, await loadKeras(fixturePath(name)))
  })

  it.each(Object.keys(networks))('%s gives it with weights alone, in a model that is there', async (name) => {
    const file = `interop/${name}.weights.h5`
    const model = await loadKerasWeights(networks[name](), fixturePath(file))
    expectRecorded(file, model)
    const fromArchive = await loadKerasWeights(networks[name](), fixturePath(`interop/${name}.keras`))
    expect(bitsOf(fromArchive)).toEqual(bitsOf(model))
  })

  it('compiles, saves and is loaded again as any other', async () => {
    const name = 'interop/keras_forecaster.keras'
    const model = await loadKeras(fixturePath(name))
    const { x } = recorded(name, model)
    const y = run(model, x)
    await save(model, join(folder, 'forecaster.safetensors'))
    const again = await load(join(folder, 'forecaster.safetensors'))
    expect(run(again, x).data).toEqual(y.data)
    const planned = compile(model).predictSync(x)
    for (const [i, value] of y.data.entries()) expect(planned.data[i]).toBeCloseTo(value, 5)
  })
})

describe('a model of ours', () => {
  const models: Record<string, { model: () => Layer; steps?: number }> = {
    ...Object.fromEntries(Object.entries(networks).map(([name, model]) => [name, { model }])),
    'of several layers in one LSTM, with its last step': {
      model: () =>
        new Sequential([
          new LSTM({ inputSize: 3, hiddenSize: 4, numLayers: 3, dropout: 0.1, recurrentDropout: 0.2 }),
          lastStep(),
          new LayerNorm({ size: 4, eps: 1e-3 }),
          new Linear({ inputSize: 4, outputSize: 1, bias: false }),
        ]),
    },
    'of masks and merges': {
      model: () =>
        new Sequential([
          new Masking({ value: -1 }),
          new Dropout({ probability: 0.1, acrossTime: true }),
          new LSTM({
            inputSize: 3,
            hiddenSize: 4,
            numLayers: 2,
            bidirectional: true,
            merge: 'mul',
            zeroMasked: true,
          }),
          new LSTM({
            inputSize: 4,
            hiddenSize: 3,
            reverse: true,
            bias: false,
            cellActivation: 'relu',
            outputActivation: 'relu',
          }),
          new Reverse({ keepMask: true }),
          new LSTM({
            inputSize: 3,
            hiddenSize: 2,
            bidirectional: true,
            merge: 'average',
            returnSequences: false,
          }),
        ]),
    },
    'of windows': {
      model: () =>
        new Sequential([
          new Conv1d({ inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 'causal', dilation: 2 }),
          activation('leakyRelu', { alpha: 0.3 }),
          new AveragePool1d({ size: 2, stride: 1, padding: 'same' }),
          new Flatten(),
          new Linear({ inputSize: 24, outputSize: 2 }),
          activation('elu', { alpha: 0.5 }),
        ]),
      steps: 6,
    },
    'with a model inside': {
      model: () =>
        new Sequential([
          new LSTM({ inputSize: 3, hiddenSize: 4 }),
          new Sequential([new Linear({ inputSize: 4, outputSize: 3 }), activation('tanh')]),
          new GlobalMaxPool1d(),
          new Linear({ inputSize: 3, outputSize: 2 }),
        ]),
    },
    'of one layer': { model: () => new LSTM({ inputSize: 3, hiddenSize: 2 }) },
  }

  /** Symbols or features, some of them masked. */
  function inputFor(model: Layer) {
    if (JSON.stringify(model.config()).includes('"Embedding"'))
      return tensor(Int32Array.from([3, 0, 5, 7, 0, 0, 2, 2, 1, 9, 0, 1]), { shape: [2, 6] })
    const features = JSON.stringify(model.config()).match(/"input(?:Size|Channels)":(\d+)/)!
    const x = Float32Array.from({ length: 12 * Number(features[1]) }, (_, i) => Math.sin(3 * i))
    return tensor(x.fill(-1, 0, 6), { shape: [2, 6, Number(features[1])] })
  }

  /** With one bias of two, as a model of Keras has. */
  function withOneBias(model: Layer): Layer {
    for (const [name, { data }] of parametersOf(model)) if (name.includes('bias_hh')) data.fill(0)
    return model
  }

  it.each(Object.keys(models))('%s comes back from .keras with the same bits', async (name) => {
    const { model: make, steps } = models[name]
    const model = withOneBias(make())
    const again = decodeKeras(await encodeKeras(model, { steps }))
    const x = inputFor(model)
    expect(run(again, x).data).toEqual(run(model, x).data)
    expect(bitsOf(again).map(([, bits]) => bits)).toEqual(bitsOf(model).map(([, bits]) => bits))
    // And out once more: the same configuration and the same numbers.
    const third = decodeKeras(await encodeKeras(again, { steps }))
    expect(third.config()).toEqual(again.config())
    expect(bitsOf(third)).toEqual(bitsOf(again))
  })

  it.each(Object.keys(models))('%s comes back from .weights.h5 with the same bits', async (name) => {
    const { model: make } = models[name]
    const model = withOneBias(make())
    const again = make()
    decodeKerasWeights(again, await encodeKerasWeights(model))
    expect(bitsOf(again)).toEqual(bitsOf(model))
  })

  it('is written whole or not at all, as the ending of its name says', async () => {
    const model = networks.keras_forecaster()
    const [archive, weights] = [join(folder, 'a.keras'), join(folder, 'a.weights.h5')]
    await saveKeras(model, archive)
    await saveKeras(model, weights)
    expect(bitsOf(await loadKerasWeights(networks.keras_forecaster(), weights)).length).toBe(10)
    expect((await loadKeras(archive)).config()).toMatchObject({ type: 'Sequential' })
    await expect(saveKeras(model, join(folder, 'a.h5'))).rejects.toThrow('ends in .keras or .weights.h5')
    await expect(saveKeras(model, join(folder, 'no', 'a.keras'))).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(saveKeras(model, archive, { step: 3 } as never)).rejects.toThrow('did you mean "steps"?')
    await expect(saveKeras(model, archive, { steps: 0 })).rejects.toThrow('expected steps')
    expect(readdirSync(folder).filter((name) => name.includes('.tmp'))).toEqual([])
  })

  const refused: [what: string, layers: Model[], message: RegExp][] = [
    [
      'a projection',
      [new LSTM({ inputSize: 2, hiddenSize: 3, projectionSize: 2 })],
      /layer 0 \(LSTM\): there is no projectionSize/,
    ],
    [
      'the hard sigmoid of Keras 2',
      [new LSTM({ inputSize: 2, hiddenSize: 3, gateActivation: { kind: 'hardSigmoid', alpha: 0.2 } })],
      /no hardSigmoid of alpha 0.2/,
    ],
    [
      'a function of the output of its own',
      [new LSTM({ inputSize: 2, hiddenSize: 3, outputActivation: 'relu' })],
      /cellActivation and outputActivation to be the same/,
    ],
    [
      'the last step of two directions',
      [new LSTM({ inputSize: 2, hiddenSize: 3, bidirectional: true }), lastStep()],
      /returnSequences: false/,
    ],
    [
      'steps that come out in order of a reversed LSTM',
      [new LSTM({ inputSize: 2, hiddenSize: 3, reverse: true })],
      /put a Reverse behind it/,
    ],
    [
      'a mask that is turned round',
      [new Masking(), new LSTM({ inputSize: 2, hiddenSize: 3, reverse: true }), new Reverse()],
      /keepMask: true/,
    ],
    [
      'masked steps of two directions that are not zero',
      [new Masking(), new LSTM({ inputSize: 2, hiddenSize: 3, bidirectional: true })],
      /zeroMasked: true/,
    ],
    [
      'steps turned round alone',
      [new Linear({ inputSize: 2, outputSize: 2 }), new Reverse()],
      /layer 1 \(Reverse\): it goes right behind an LSTM/,
    ],
    [
      'the tanh form of gelu',
      [new Linear({ inputSize: 2, outputSize: 2 }), activation('geluTanh')],
      /no geluTanh/,
    ],
    [
      'padding in a number',
      [new Conv1d({ inputChannels: 2, outputChannels: 2, kernelSize: 3, padding: 1 })],
      /expected padding/,
    ],
    ['features that nobody counts', [new Masking()], /no layer says how many features/],
    [
      'steps that nobody counts',
      [new Flatten(), new Linear({ inputSize: 4, outputSize: 1 })],
      /say which: saveKeras\(model, path, \{ steps \}\)/,
    ],
  ]

  it.each(refused)('with %s is refused by name', async (_, layers, message) => {
    const error = await encodeKeras(new Sequential(layers)).catch((reason) => reason)
    expect(error).toMatchObject({ name: 'FileFormatError', code: 'UnsupportedLayer' })
    expect(error.message).toMatch(message)
  })
})

describe('loadKerasWeights', () => {
  it('says which layer and shape do not fit, and leaves the model as it was', async () => {
    const wrong = new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 16 }),
      new LSTM({ inputSize: 16, hiddenSize: 8, returnSequences: false }),
      new Linear({ inputSize: 8, outputSize: 3 }),
    ])
    const before = bitsOf(wrong)
    const file = fixturePath('interop/keras_forecaster.weights.h5')
    await expect(loadKerasWeights(wrong, file)).rejects.toMatchObject({
      code: 'ShapeMismatch',
      path: file,
      tensor: '/layers/dense/vars/0',
      message: expect.stringContaining('expected shape [8,3], got [8,2]'),
    })
    expect(bitsOf(wrong)).toEqual(before)
    const fewer = new Sequential([new LSTM({ inputSize: 3, hiddenSize: 16, bias: false })])
    await expect(loadKerasWeights(fewer, file)).rejects.toMatchObject({ code: 'MissingTensor' })
  })

  it('reads the weights of Keras 2 by the order of the layers', () => {
    const model = new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 3, gateActivation: { kind: 'hardSigmoid', alpha: 0.2 } }),
      activation('leakyRelu', { alpha: 0.2 }),
      new LSTM({
        ...{ inputSize: 3, hiddenSize: 2, bidirectional: true, returnSequences: false },
        gateActivation: { kind: 'hardSigmoid', alpha: 0.2 },
      }),
      new Linear({ inputSize: 4, outputSize: 2 }),
      activation('hardSigmoid', { alpha: 0.2 }),
    ])
    const name = 'keras/keras2_sequential.h5'
    decodeKerasWeights(model, fixture(name))
    expectRecorded(name, model)
    const other = new Sequential([new LSTM({ inputSize: 3, hiddenSize: 3 })])
    const { code, message } = refusal(() => decodeKerasWeights(other, fixture(name)))
    expect([code, message]).toEqual([
      'MissingTensor',
      expect.stringContaining('expected 1 layers with weights, got 3'),
    ])
  })

  it('says what a file is that holds weights alone', async () => {
    const weights = readFileSync(fixturePath('interop/keras_forecaster.weights.h5'))
    writeFileSync(join(folder, 'weights.keras'), weights)
    await expect(loadKeras(join(folder, 'weights.keras'))).rejects.toMatchObject({
      code: 'NoConfig',
      message: expect.stringContaining('call loadKerasWeights(model, path)'),
    })
    await expect(loadKeras(join(folder, 'none.keras'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
