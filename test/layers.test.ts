/** Layers: their options, configurations, parameter names and the small ones among them. */
import { describe, expect, it } from 'vitest'
import { Activation, activation } from '../lib/layers/activation.ts'
import { Conv1d } from '../lib/layers/convolution.ts'
import { Dropout } from '../lib/layers/dropout.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { LastStep, lastStep } from '../lib/layers/last-step.ts'
import { type Layer, layersOf, type Model, parametersOf, setTraining } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LSTMCell } from '../lib/layers/lstm-cell.ts'
import { LayerNorm } from '../lib/layers/normalization.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../lib/layers/pooling.ts'
import { layerFromConfig } from '../lib/layers/registry.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Flatten, Masking, Reverse, TimeDistributed } from '../lib/layers/steps.ts'
import { Parameter, type Tensor, tensor, zeros } from '../lib/tensor.ts'
import { everything } from './support/lstm-options.ts'

describe('options', () => {
  it('of unknown name are refused with the nearest right one', () => {
    const lstm = () => new LSTM({ inputSize: 3, hidenSize: 4 } as unknown as LSTMOptions)
    expect(lstm).toThrow('LSTM: unknown option "hidenSize"; did you mean "hiddenSize"?')
    expect(() => new LSTMCell({ inputSize: 3, hiddenSize: 4, numLayers: 2 } as LSTMOptions)).toThrow(
      'LSTMCell: unknown option "numLayers"',
    )
    expect(() => new Linear({ inputsize: 3, outputSize: 4 } as never)).toThrow('did you mean "inputSize"?')
    expect(() => new Embedding({ vocabulary: 3 } as never)).toThrow('Embedding: unknown option')
    expect(() => new Conv1d({ inputChanels: 1 } as never)).toThrow('did you mean "inputChannels"?')
    expect(() => new MaxPool1d({ sise: 1 } as never)).toThrow('did you mean "size"?')
    expect(() => new AveragePool1d({ size: 1, countPad: true } as never)).toThrow(
      'AveragePool1d: unknown option',
    )
    expect(() => new Masking({ values: 1 } as never)).toThrow('did you mean "value"?')
    expect(() => new Dropout({ rate: 0.5 } as never)).toThrow('Dropout: unknown option "rate"')
    expect(() => new LayerNorm({ sizes: 3 } as never)).toThrow('did you mean "size"?')
    expect(() => activation('rely' as 'relu')).toThrow('got "rely"; did you mean "relu"?')
    const layer = new LSTM({ inputSize: 3, hiddenSize: 4 })
    expect(() => layer.forward(zeros([1, 2, 3]), { length: 1 } as never)).toThrow('did you mean "lengths"?')
  })

  it.each([
    [{ hiddenSize: 0 }, 'expected hiddenSize to be a positive integer, got 0'],
    [{ inputSize: 1.5 }, 'expected inputSize to be a positive integer, got 1.5'],
    [{ projectionSize: -1 }, 'expected projectionSize to be an integer of at least 0, got -1'],
    [{ numLayers: 0 }, 'expected numLayers to be a positive integer, got 0'],
    [{ bidirectional: 1 }, 'expected bidirectional to be true or false, got 1'],
    [{ dropout: 1 }, 'expected dropout in [0, 1), got 1'],
    [{ recurrentDropout: -0.1 }, 'expected recurrentDropout in [0, 1), got -0.1'],
    [{ zoneoutCell: 1.1 }, 'expected zoneoutCell in [0, 1], got 1.1'],
    [{ dataType: 'int32' }, 'expected dataType float32 or float64, got "int32"'],
    [{ initialisation: 'xavier' }, 'expected initialisation pytorch, keras or chrono, got "xavier"'],
    [{ initialisation: 'chrono' }, 'expected chronoLength to be an integer of at least 3, got undefined'],
    [{ chronoLength: 9 }, "chronoLength needs initialisation: 'chrono'"],
    [{ initialisation: 'chrono', chronoLength: 9, forgetBias: 1 }, 'both set the forget bias'],
    [{ bias: false, forgetBias: 1 }, 'forgetBias needs bias: true'],
  ])('of the LSTM out of range are refused: %j', (options, message) => {
    expect(() => new LSTM({ inputSize: 3, hiddenSize: 4, ...options } as LSTMOptions)).toThrow(message)
  })

  it('of the other layers out of range are refused', () => {
    expect(() => new Embedding({ vocabularySize: 3, embeddingSize: 2, paddingIndex: 3 })).toThrow(
      'paddingIndex in [0, 2]',
    )
    const conv = { inputChannels: 4, outputChannels: 6, kernelSize: 3 }
    expect(() => new Conv1d({ ...conv, groups: 4 })).toThrow(
      'groups to divide inputChannels 4 and outputChannels 6',
    )
    expect(() => new Conv1d({ ...conv, kernelSize: 0 })).toThrow('kernelSize')
    expect(() => new Conv1d({ ...conv, padding: 'full' as 'same' })).toThrow('expected padding')
    expect(() => new MaxPool1d({ size: 3, padding: 2 })).toThrow('at most half the size 3')
    expect(() => new Masking({ value: '0' as unknown as number })).toThrow(
      'expected value to be a number, got "0"',
    )
    expect(() => new Embedding({ vocabularySize: 3, embeddingSize: 2, maskZero: 1 as never })).toThrow(
      'maskZero',
    )
    expect(() => activation('hardSigmoid')).toThrow('hardSigmoid needs its alpha')
    expect(() => activation('relu', { alpha: 0.1 })).toThrow('activation relu: unknown option "alpha"')
    expect(() => activation('elu', { alpha: Number.NaN })).toThrow('alpha')
    expect(() => new Dropout({ probability: 1 })).toThrow('expected probability in [0, 1), got 1')
    expect(() => new Linear({ inputSize: 3, outputSize: 0 })).toThrow('outputSize')
    expect(() => new LayerNorm({ size: 2, eps: -1 })).toThrow('eps')
    expect(() => new Sequential([new LastStep(), {} as Model])).toThrow(
      'expected layer 1 to have a forward method',
    )
  })
})

describe('configurations', () => {
  const layers: Layer[] = [
    new LSTM(everything),
    new LSTMCell({ inputSize: 3, hiddenSize: 4, peepholes: true, seed: 2 }),
    new Linear({ inputSize: 3, outputSize: 2, bias: false, seed: 3 }),
    new Embedding({ vocabularySize: 5, embeddingSize: 2, paddingIndex: 0, seed: 4 }),
    new Dropout({ probability: 0.3, acrossTime: true }),
    new LayerNorm({ size: 3, eps: 1e-3 }),
    activation('softplus'),
    activation('elu'),
    activation('hardSigmoid', { alpha: 0.2 }),
    new Embedding({ vocabularySize: 5, embeddingSize: 2, maskZero: true, seed: 4 }),
    new Conv1d({ inputChannels: 4, outputChannels: 6, kernelSize: 3, groups: 2, padding: 'same', seed: 5 }),
    new Conv1d({ inputChannels: 1, outputChannels: 2, kernelSize: 2, padding: 1, bias: false, seed: 6 }),
    new MaxPool1d({ size: 3, stride: 2, padding: 1 }),
    new AveragePool1d({ size: 2, countPadding: true }),
    new GlobalMaxPool1d(),
    new GlobalAveragePool1d(),
    new Flatten(),
    new Masking({ value: -1 }),
    new Reverse({ keepMask: true }),
    new TimeDistributed(new Linear({ inputSize: 3, outputSize: 2, seed: 7 })),
    lastStep(),
    new Sequential([new Sequential([new Linear({ inputSize: 1, outputSize: 2, seed: 1 })]), lastStep()]),
  ]

  it.each(
    layers.map((layer) => [layer.constructor.name, layer] as const),
  )('rebuild %s through JSON', (_, layer) => {
    const config = JSON.parse(JSON.stringify(layer.config()))
    const again = layerFromConfig(config)
    expect(again.constructor).toBe(layer.constructor)
    expect(JSON.parse(JSON.stringify(again.config()))).toEqual(config)
    // Equal seeds: the parameters come out the same, so no option that shapes them was lost.
    expect([...parametersOf(again)].map(([name, each]) => [name, each.shape, each.data])).toEqual(
      [...parametersOf(layer)].map(([name, each]) => [name, each.shape, each.data]),
    )
  })

  it('hold every option of the LSTM', () => {
    expect(new LSTM(everything).config()).toEqual({ type: 'LSTM', bias: true, ...everything })
  })

  it('of unknown type, or of a layer that is none of ours, are refused', () => {
    expect(() => layerFromConfig({ type: 'LTSM' })).toThrow('unknown layer type "LTSM"; did you mean "LSTM"?')
    expect(() => layerFromConfig({ type: 'toString' })).toThrow('unknown layer type')
    expect(() => layerFromConfig({ type: 'Linear', inputSize: 1, outputSise: 2 })).toThrow(
      'did you mean "outputSize"?',
    )
    class Own {
      forward(x: Tensor) {
        return x
      }
    }
    expect(() => new Sequential([new Own()]).config()).toThrow('layer 0 (Own) is no Layer')
  })
})

describe('parameters', () => {
  it('have the names and shapes of PyTorch, and ours beside them', () => {
    const shapes = (layer: Layer) =>
      Object.fromEntries([...layer.parameters()].map(([name, { shape }]) => [name, shape]))
    const first = {
      weight_ih_l0: [16, 3],
      weight_hh_l0: [16, 2],
      bias_ih_l0: [16],
      bias_hh_l0: [16],
      weight_hr_l0: [2, 4],
    }
    const own = { peephole_l0: [3, 4], norm_ih_l0: [16], norm_hh_l0: [16], norm_cell_l0: [2, 4] }
    const layer0 = { ...first, ...own }
    const rename = (from: object, suffix: string, more = {}) =>
      Object.fromEntries(
        Object.entries({ ...from, ...more }).map(([name, shape]) => [name.replace('_l0', suffix), shape]),
      )
    expect(shapes(new LSTM(everything))).toEqual({
      ...layer0,
      ...rename(layer0, '_l0_reverse'),
      ...rename(layer0, '_l1', { weight_ih_l0: [16, 4] }),
      ...rename(layer0, '_l1_reverse', { weight_ih_l0: [16, 4] }),
    })
    expect(Object.keys(shapes(new LSTM({ inputSize: 1, hiddenSize: 1, bias: false })))).toEqual([
      'weight_ih_l0',
      'weight_hh_l0',
    ])
    expect(shapes(new LSTMCell({ inputSize: 2, hiddenSize: 1 }))).toEqual({
      weight_ih: [4, 2],
      weight_hh: [4, 1],
      bias_ih: [4],
      bias_hh: [4],
    })
  })

  it('of models are found in layers, arrays, models inside and fields of their own, each once', () => {
    const shared = new Linear({ inputSize: 2, outputSize: 2, bias: false })
    class Inner {
      scale = new Parameter([2], new Float32Array(2))
      forward(x: Tensor) {
        return x
      }
    }
    const tied = new Parameter([2], new Float32Array(2))
    class Tied extends Inner {
      override scale = tied
    }
    class Outer {
      encoder = new Sequential([lastStep(), new LSTM({ inputSize: 1, hiddenSize: 1, bias: false }), shared])
      heads = [shared, new Linear({ inputSize: 2, outputSize: 1 })]
      inner = new Inner()
      tied = [new Tied(), new Tied()]
      parent: Outer = this
      options = { weight: new Parameter([1], new Float32Array(1)) }
      forward(x: Tensor) {
        return x
      }
    }
    expect([...parametersOf(new Outer()).keys()]).toEqual([
      'encoder.1.weight_ih_l0',
      'encoder.1.weight_hh_l0',
      'encoder.2.weight',
      'heads.1.weight',
      'heads.1.bias',
      'inner.scale',
      'tied.0.scale',
    ])
  })

  it('of Sequential are named as in torch.nn.Sequential', () => {
    const lstm = new LSTM({ inputSize: 1, hiddenSize: 2, bias: false })
    const model = new Sequential([lstm, lastStep(), new Linear({ inputSize: 2, outputSize: 1 })])
    expect([...parametersOf(model).keys()]).toEqual([
      '0.weight_ih_l0',
      '0.weight_hh_l0',
      '2.weight',
      '2.bias',
    ])
    expect([...layersOf(model)].map(([path]) => path)).toEqual(['', '0', '1', '2'])
  })
})

describe('setTraining', () => {
  it('switches every layer of a model, however deep', () => {
    const dropout = new Dropout({ probability: 0.9 })
    const model = { layers: [new Sequential([dropout])], forward: (input: Tensor) => dropout.forward(input) }
    const x = tensor(new Float64Array(100).fill(1))
    expect(model.forward(x)).toBe(x)
    setTraining(model, true)
    expect([...model.forward(x).data].filter((each) => each === 0).length).toBeGreaterThan(50)
    setTraining(model, false)
    expect(model.forward(x)).toBe(x)
  })
})

describe('Dropout', () => {
  it('drops the same features at every step with acrossTime, others in every sequence', () => {
    const layer = new Dropout({ probability: 0.5, acrossTime: true })
    layer.training = true
    const [B, T, F] = [4, 3, 16]
    const x = tensor(new Float32Array(B * T * F).fill(1), { shape: [B, T, F], requiresGrad: true })
    const y = layer.forward(x)
    const row = (b: number, t: number) => [...y.data.slice((b * T + t) * F, (b * T + t + 1) * F)]
    for (let b = 0; b < B; b++) for (let t = 1; t < T; t++) expect(row(b, t)).toEqual(row(b, 0))
    expect(new Set([0, 1, 2, 3].map((b) => String(row(b, 0)))).size).toBe(B)
    expect(new Set(y.data)).toEqual(new Set([0, 2]))
    y.backward(new Float32Array(B * T * F).fill(3))
    expect(x.grad).toEqual(y.data.map((each) => 3 * each))
    expect(() => layer.forward(tensor([[1, 2]]))).toThrow('expected x of shape [B, T, F] with acrossTime')
  })
})

describe('activation', () => {
  it.each([
    'relu',
    'gelu',
    'sigmoid',
    'tanh',
    'softplus',
    'softmax',
    'logSoftmax',
  ] as const)('makes a layer of %s', (kind) => {
    const layer = activation(kind)
    expect(layer).toBeInstanceOf(Activation)
    const at = {
      relu: 1,
      gelu: 0.841,
      sigmoid: 0.731,
      tanh: 0.762,
      softplus: 1.313,
      softmax: 0.731,
      logSoftmax: -0.313,
    }
    // Three digits tell the functions apart; their accuracy is tested with the kernels.
    expect(layer.forward(tensor([1, 0])).data[0]).toBeCloseTo(at[kind], 3)
  })
})
