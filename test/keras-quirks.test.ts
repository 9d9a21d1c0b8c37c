/** What is peculiar to files of Keras, each in a sentence. */
import { afterEach, describe, expect, it } from 'vitest'
import { decodeKeras, encodeKeras } from '../lib/formats/keras/index.ts'
import { groupNames } from '../lib/formats/keras/weights.ts'
import { type Layer, Linear, type LSTM, parametersOf, Sequential, tensor, useBackend } from '../lib/index.ts'
import { expectRecorded, fixture, kerasFile, numbered, recorded, run, withConfig } from './support/keras.ts'

afterEach(() => useBackend('native'))

const input = { class_name: 'InputLayer', config: { batch_shape: [null, null, 2], name: 'in' } }
const lstm = (config: object = {}) => ({ class_name: 'LSTM', config: { name: 'lstm', units: 2, ...config } })
const lstmGroup = numbered('/layers/lstm/cell/vars', [2, 8], [2, 8], [8])
const lstmOf = (model: Layer, at = 0) => (model as Sequential).layers[at] as LSTM

describe('the tensors of an LSTM', () => {
  it('have the gates in the order i, f, c, o, which is ours, as columns, which are rows here', async () => {
    const model = decodeKeras(await kerasFile([input, lstm()], [lstmGroup]))
    const parameters = parametersOf(model)
    // kernel[i, j] = 8·i + j; row j of weight_ih is its column j.
    expect([...parameters.get('0.weight_ih_l0')!.data]).toEqual([
      0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15,
    ])
    expect([...parameters.get('0.weight_hh_l0')!.data].slice(0, 4)).toEqual([1000, 1008, 1001, 1009])
    expect([...parameters.get('0.bias_ih_l0')!.data]).toEqual([
      2000, 2001, 2002, 2003, 2004, 2005, 2006, 2007,
    ])
  })

  it('are one bias, which comes into bias_ih beside zeros, and goes out as the sum', async () => {
    const model = decodeKeras(await kerasFile([input, lstm()], [lstmGroup]))
    const { biasIh, biasHh } = lstmOf(model).weights[0][0]
    expect([...biasHh!.data]).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
    biasHh!.data.fill(0.5, 0, 4)
    biasIh!.data[7] = -0
    const again = lstmOf(decodeKeras(await encodeKeras(model))).weights[0][0].biasIh!.data
    expect([...again]).toEqual([2000.5, 2001.5, 2002.5, 2003.5, 2004, 2005, 2006, -0])
  })

  it('are two without use_bias', async () => {
    const group = { ...lstmGroup, datasets: lstmGroup.datasets!.slice(0, 2) }
    const model = decodeKeras(await kerasFile([input, lstm({ use_bias: false })], [group]))
    expect([...parametersOf(model).keys()]).toEqual(['0.weight_ih_l0', '0.weight_hh_l0'])
    expectRecorded('keras/lstm_relu.keras', decodeKeras(fixture('keras/lstm_relu.keras')))
  })
})

describe('the hard sigmoid', () => {
  const gates = (name: string) => {
    const model = decodeKeras(fixture(name))
    const config = model.config() as unknown as { layers: { gateActivation?: object }[] }
    expectRecorded(name, model)
    return config.layers.find(({ gateActivation }) => gateActivation)!.gateActivation
  }

  it('has the slope 1/6 in files of Keras 3', () => {
    expect(gates('interop/keras_hard_sigmoid.keras')).toEqual({
      kind: 'hardSigmoid',
      alpha: 1 / 6,
      beta: 0.5,
    })
  })

  it('has the slope 0.2 in files of Keras 2', () => {
    expect(gates('keras/keras2_sequential.h5')).toEqual({ kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 })
  })

  it('has the slope 0.2 in a .keras archive that Keras 2 wrote', async () => {
    const layers = [input, lstm({ recurrent_activation: 'hard_sigmoid' })]
    const slopes = ['2.15.0', '3.0.0'].map(async (version) => {
      const model = decodeKeras(await kerasFile(layers, [lstmGroup], version))
      const { gateActivation } = lstmOf(model).config() as unknown as { gateActivation: { alpha: number } }
      return gateActivation.alpha
    })
    expect(await Promise.all(slopes)).toEqual([0.2, 1 / 6])
  })

  it('is what the slope says where a Dense or an Activation has it, too', async () => {
    const dense = { class_name: 'Dense', config: { name: 'dense', units: 1, activation: 'hard_sigmoid' } }
    const vector = { class_name: 'InputLayer', config: { batch_shape: [null, 1], name: 'in' } }
    const weights = numbered('/layers/dense/vars', [1, 1], [1])
    weights.datasets![0].data.fill(1)
    weights.datasets![1].data.fill(0)
    const model = decodeKeras(await kerasFile([vector, dense], [weights]))
    expect([...run(model, tensor([[-4], [0], [1.5], [4]])).data]).toEqual([0, 0.5, 0.75, 1])
  })
})

describe('go_backwards', () => {
  it('gives the steps in the order they were read, last first', () => {
    const name = 'interop/keras_hard_sigmoid.keras'
    const model = decodeKeras(fixture(name)) as Sequential
    expect(model.layers.map((layer) => layer.constructor.name)).toEqual(['LSTM', 'Reverse'])
    const { x, y } = recorded(name, model)
    const inOrder = run(lstmOf(model), x)
    const [T, F] = y.shape.slice(1)
    expect(inOrder.data.slice(0, F)).toEqual(run(model, x).data.slice((T - 1) * F, T * F))
  })

  it('gives one step, the one read last, without return_sequences', () => {
    const model = decodeKeras(fixture('keras/dropouts.keras')) as Sequential
    expect(model.layers.at(-1)!.constructor.name).toBe('LSTM')
    expectRecorded('keras/dropouts.keras', model)
  })

  it('leaves the mask in the order of the input while it turns the steps', () => {
    expectRecorded(
      'keras/masks_after_backwards.keras',
      decodeKeras(fixture('keras/masks_after_backwards.keras')),
    )
  })
})

describe('a mask', () => {
  it.each([
    [
      'travels from an Embedding through Bidirectional, Dropout and LSTM to the last step',
      'masks_functional.keras',
    ],
    [
      'is written down as operations in functional models, which stand for no layers',
      'masks_functional.keras',
    ],
    ['may have holes, and is heeded by the average over the steps', 'masking_holes.h5'],
    ['makes an LSTM repeat its output, and a Bidirectional give zeros', 'masks_repeat_and_zero.keras'],
    ['ends at a convolution', 'mask_ends_at_conv.keras'],
  ])('%s', (_, name) => {
    expectRecorded(`keras/${name}`, decodeKeras(fixture(`keras/${name}`)))
  })

  it('changes the outputs of these files: they would not pass without it', () => {
    const name = 'keras/masks_functional.keras'
    const without = withConfig(fixture(name), ({ config }) => {
      for (const layer of config.layers) if (layer.class_name === 'Embedding') layer.config.mask_zero = false
      for (const layer of config.layers) {
        const [call] = layer.inbound_nodes as { kwargs?: { mask?: unknown } }[]
        if (call?.kwargs) call.kwargs.mask = null
      }
    })
    const { x, y } = recorded(name, decodeKeras(fixture(name)))
    const got = run(decodeKeras(without), x)
    expect(Math.max(...got.data.map((value, i) => Math.abs(value - y.data[i])))).toBeGreaterThan(1e-3)
  })
})

describe('the tensors of a layer', () => {
  it('are found by the class of the layer, whatever its name', () => {
    const name = 'keras/merges.keras'
    const renamed = withConfig(fixture(name), ({ config }) => {
      for (const [i, layer] of config.layers.entries()) layer.config.name = `lstm_${9 - i}`
    })
    expectRecorded(name, decodeKeras(renamed))
  })

  it('lie in groups counted by class: the name in snake case, from the second on with a number', () => {
    const names = [
      'LSTM',
      'Dense',
      'LSTM',
      'LayerNormalization',
      'Conv1D',
      'MaxPooling1D',
      'TimeDistributed',
      'LSTM',
      'ReLU',
      'SpatialDropout1D',
    ]
    expect(groupNames(names)).toEqual([
      ...['lstm', 'dense', 'lstm_1', 'layer_normalization', 'conv1d', 'max_pooling1d', 'time_distributed'],
      ...['lstm_2', 're_lu', 'spatial_dropout1d'],
    ])
  })

  it('have the states of seed generators among them, which are passed over', () => {
    expectRecorded('keras/dropouts.keras', decodeKeras(fixture('keras/dropouts.keras')))
  })

  it('are listed in Keras 2, by names that end in :0, in attributes that may be cut into chunks', () => {
    const name = 'keras/keras2_functional_chunks.h5'
    expectRecorded(name, decodeKeras(fixture(name)))
  })

  it('are listed for a model inside the model in one list, under names that may be anything', () => {
    expectRecorded('keras/nested_legacy.h5', decodeKeras(fixture('keras/nested_legacy.h5')))
  })

  it('may lack gain or shift of a LayerNormalization, which are one and zero then', () => {
    const model = decodeKeras(fixture('keras/nested.keras'))
    const shifts = [...parametersOf(model)].filter(
      ([name, { shape }]) => name === '1.1.bias' && shape[0] === 4,
    )
    expect([...shifts[0][1].data]).toEqual([0, 0, 0, 0])
  })
})

describe('options', () => {
  it('of training stay: dropout of the input is the same at every step', () => {
    const { layers } = decodeKeras(fixture('keras/dropouts.keras')).config() as unknown as {
      layers: object[]
    }
    expect(layers.slice(0, 4)).toMatchObject([
      { type: 'Dropout', probability: 0.3, acrossTime: true },
      { type: 'Dropout', probability: 0.2, acrossTime: true },
      { type: 'LSTM', recurrentDropout: 0.1, forgetBias: 1, initialisation: 'keras' },
      { type: 'Dropout', probability: 0.5, acrossTime: false },
    ])
  })

  it('that change nothing are passed over', () => {
    const name = 'interop/keras_forecaster.keras'
    const changed = withConfig(fixture(name), ({ config }) => {
      const more = {
        kernel_initializer: 'ones',
        bias_regularizer: { class_name: 'L2', config: { l2: 1 } },
        unroll: true,
        seed: 3,
      }
      for (const layer of config.layers) Object.assign(layer.config, more, { dtype: 'mixed_float16' })
    })
    expectRecorded(name, decodeKeras(changed))
  })

  it('have the defaults of Keras where they are missing', async () => {
    const config = lstmOf(decodeKeras(await kerasFile([input, lstm()], [lstmGroup]))).config()
    expect(config).toMatchObject({
      gateActivation: 'sigmoid',
      cellActivation: 'tanh',
      returnSequences: false,
      bias: true,
    })
  })

  it('of a Sequential of Keras before 2.3 are the list of its layers', async () => {
    const file = await kerasFile([input, lstm()], [lstmGroup])
    const asList = withConfig(file, ({ config }) => ({ class_name: 'Sequential', config: config.layers }))
    expect(decodeKeras(asList).config()).toEqual(decodeKeras(file).config())
  })
})

describe('numbers', () => {
  it('of -0, infinity, NaN and below the normal ones go there and back', async () => {
    const model = new Sequential([new Linear({ inputSize: 2, outputSize: 3 })])
    const { data } = parametersOf(model).get('0.weight')!
    data.set([-0, Number.POSITIVE_INFINITY, Number.NaN, 1e-45, -3e38, 1])
    const again = parametersOf(decodeKeras(await encodeKeras(model))).get('0.weight')!
    expect([...again.data]).toEqual([...data])
  })
})
