/** Files made to harm whoever loads them, or merely damaged: each is refused by a typed error that names the place. */
import { describe, expect, it } from 'vitest'
import { decodeKeras } from '../lib/formats/keras/index.ts'
import { cpuMilliseconds } from './support/cpu.ts'
import { fixture, kerasFile, numbered, withConfig, withEntry } from './support/keras.ts'
import { refusal } from './support/refusal.ts'

const forecaster = fixture('interop/keras_forecaster.keras')
const tagger = fixture('interop/keras_tagger.keras')
const functional = fixture('keras/masks_functional.keras')

/** The layers of the forecaster: input, LSTM, dropout, LSTM, dense. */
function withOption(layer: number, option: string, value: unknown): Uint8Array {
  return withConfig(forecaster, ({ config }) => {
    config.layers[layer].config[option] = value
  })
}

function withClass(layer: number, className: string): Uint8Array {
  return withConfig(forecaster, ({ config }) => {
    config.layers[layer].class_name = className
  })
}

interface Call {
  args: unknown[]
  kwargs: Record<string, unknown>
}

/** The functional model with the call of a layer changed. */
function withCall(name: string, change: (call: Call) => void): Uint8Array {
  return withConfig(functional, ({ config }) => {
    const [call] = config.layers.find((layer) => layer.name === name)!.inbound_nodes as Call[]
    change(call)
  })
}

const output = (name: string) => ({ class_name: '__keras_tensor__', config: { keras_history: [name, 0, 0] } })
const nameOf = (className: string) => {
  let found = ''
  withConfig(functional, ({ config }) => {
    found = config.layers.findLast((layer) => layer.class_name === className)!.name as string
  })
  return found
}

describe('an option that changes the outputs', () => {
  it.each([
    ['return_state', 1, true, 'UnsupportedOption', 'expected return_state: false, got true'],
    ['stateful', 1, true, 'UnsupportedOption', 'forward({ state })'],
    ['activation', 1, 'sparsemax', 'UnsupportedOption', 'got "sparsemax"'],
    [
      'activation',
      4,
      { class_name: 'function', config: 'my_own' },
      'UnsupportedOption',
      'got code or a layer',
    ],
    ['activation', 1, 'softmax', 'UnsupportedOption', 'softmax cannot stand inside an LSTM'],
    ['recurrent_activation', 3, 7, 'UnsupportedOption', 'expected recurrent_activation to be one of'],
    ['zero_output_for_mask', 3, true, 'UnsupportedOption', 'zero_output_for_mask: false'],
    [
      'dtype',
      4,
      { class_name: 'DTypePolicy', config: { name: 'int8_from_float32' } },
      'UnsupportedOption',
      'int8',
    ],
    ['use_bias', 1, 'yes', 'InvalidConfig', 'expected use_bias to be true or false, got "yes"'],
    ['units', 1, -16, 'InvalidConfig', 'expected units to be a positive integer, got -16'],
    ['units', 1, 1e9, 'ShapeMismatch', 'expected shape [3,4000000000], got [3,64]'],
    ['units', 4, 3, 'ShapeMismatch', 'expected shape [8,3], got [8,2]'],
    ['use_bias', 4, false, 'MissingTensor', 'expected kernel, got 2 tensors'],
    ['rate', 2, 1, 'InvalidConfig', 'expected probability in [0, 1), got 1'],
    ['rate', 2, 'half', 'InvalidConfig', 'expected rate to be a number'],
  ])('%s of layer %i as %j is refused', (option, layer, value, code, message) => {
    expect(refusal(() => decodeKeras(withOption(layer, option, value)))).toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
  })

  it.each([
    ['merge_mode: null has two outputs', { merge_mode: null }, 'with None it has two outputs'],
    [
      'backward_layer of another kind',
      { backward_layer: { class_name: 'GRU', config: {} } },
      'expected an LSTM, or a SimpleRNN, inside Bidirectional',
    ],
    [
      'backward_layer of another activation',
      { backward_layer: { class_name: 'LSTM', config: { units: 10, activation: 'relu' } } },
      'the same options',
    ],
  ])('%s in Bidirectional is refused', (_, options, message) => {
    const changed = withConfig(tagger, ({ config }) => {
      Object.assign(config.layers[2].config, options)
    })
    expect(refusal(() => decodeKeras(changed)).message).toContain(message)
  })
})

describe('a layer', () => {
  it.each([
    'MyOwn',
    'GRU',
    'GroupNormalization',
    'constructor',
    '__proto__',
    'toString',
  ])('of class %s is refused with what is supported', (name) => {
    const { code, message } = refusal(() => decodeKeras(withClass(2, name)))
    expect(code).toBe('UnsupportedLayer')
    expect(message).toContain(
      `layer "dropout" (${name}): supported are LSTM, SimpleRNN, Bidirectional, Dense`,
    )
  })

  it('of code is refused unrun', () => {
    expect(refusal(() => decodeKeras(withClass(2, 'Lambda'))).message).toContain(
      'code in a file is never run',
    )
  })

  it.each([
    ['null', null],
    ['a text', 'LSTM'],
    ['without a class', { config: {} }],
    ['without a config', { class_name: 'LSTM' }],
    ['with a config of another type', { class_name: 'LSTM', config: [] }],
  ])('that is %s is refused', (_, layer) => {
    const changed = withConfig(forecaster, ({ config }) => {
      config.layers[1] = layer as never
    })
    expect(refusal(() => decodeKeras(changed)).code).toBe('InvalidConfig')
  })
})

describe('a model', () => {
  it.each([
    ['a class of its own', 'MyModel', 'UnsupportedModel'],
    ['no list of layers', 'Sequential', 'InvalidConfig'],
  ])('with %s is refused', (_, className, code) => {
    const changed = withConfig(forecaster, (model) => ({
      ...model,
      class_name: className,
      config: { layers: 7 },
    }))
    expect(refusal(() => decodeKeras(changed)).code).toBe(code)
  })

  it('inside a model inside a model, twenty deep, is refused', () => {
    const changed = withConfig(forecaster, (model) => {
      let inner: object = model
      for (let i = 0; i < 20; i++)
        inner = { class_name: 'Sequential', config: { name: 's', layers: [inner] } }
      return inner
    })
    expect(refusal(() => decodeKeras(changed)).message).toContain('at most 8 deep')
  })

  it.each([
    ['TimeDistributed', 'layer'],
    ['Activation', 'activation'],
    ['Sequential', 'layers'],
  ])('of %s in itself, a hundred thousand deep, is refused before the stack ends', (className, option) => {
    const [open, close] = option === 'layers' ? ['[', ']'] : ['', '']
    const start = `{"class_name":"${className}","config":{"name":"a","${option}":${open}`
    const depth = 100_000
    const text = `{"class_name":"Sequential","config":{"layers":[${start.repeat(depth)}7${`${close}}}`.repeat(depth)}]}}`
    const bytes = withEntry(forecaster, 'config.json', new TextEncoder().encode(text))
    expect(refusal(() => decodeKeras(bytes)).message).toContain('nested deeper than 500')
  })

  it('of more layers than any is refused', () => {
    const many = withConfig(forecaster, ({ config }) => {
      config.layers = Array(5001).fill(config.layers[2])
    })
    expect(refusal(() => decodeKeras(many)).message).toContain('at most 5000 layers, got 5001')
  })

  it('with two layers of one name is refused', () => {
    const changed = withConfig(functional, ({ config }) => {
      config.layers.push(config.layers[2])
    })
    expect(refusal(() => decodeKeras(changed)).message).toContain('it has two layers')
  })

  const [dense, dropout, lstm] = ['Dense', 'Dropout', 'LSTM'].map(nameOf)

  it.each([
    ['a layer of two inputs', withCall(dense, (call) => call.args.push(output(dropout))), 'has 2 inputs'],
    [
      'a layer that reads itself',
      withCall(dense, (call) => call.args.splice(0, 1, output(dense))),
      "does not stand in the model's line",
    ],
    [
      'a layer that is not there',
      withCall(dense, (call) => call.args.splice(0, 1, output('no'))),
      "does not stand in the model's line",
    ],
    [
      'a state from elsewhere',
      withCall(lstm, (call) => Object.assign(call.kwargs, { initial_state: [output(dropout)] })),
      'given a tensor as initial_state',
    ],
    [
      'a mask from elsewhere',
      withCall(lstm, (call) => Object.assign(call.kwargs, { mask: output(dropout) })),
      'a mask of its own',
    ],
    [
      'a layer that leads nowhere',
      withCall(dense, (call) => call.args.splice(0, 1, output(dropout))),
      'does not lead to the output',
    ],
  ])('with %s is refused', (_, bytes, message) => {
    const { code, message: got } = refusal(() => decodeKeras(bytes))
    expect(['UnsupportedModel', 'InvalidConfig']).toContain(code)
    expect(got).toContain(message)
  })

  it('with two outputs, or a layer called twice, is refused', () => {
    const outputs = withConfig(functional, ({ config }) => {
      config.output_layers = [
        [dense, 0, 0],
        [lstm, 0, 0],
      ]
    })
    expect(refusal(() => decodeKeras(outputs)).message).toContain('it has 2 outputs')
    const twice = withConfig(functional, ({ config }) => {
      const nodes = config.layers.find((layer) => layer.name === dense)!.inbound_nodes as Call[]
      nodes.push(nodes[0])
    })
    expect(refusal(() => decodeKeras(twice)).message).toContain(`layer ${dense} is called 2 times`)
  })

  it('whose mask does not reach the layer that is given it is refused', () => {
    const cut = withConfig(functional, ({ config }) => {
      const layer = config.layers.find(({ class_name }) => class_name === 'Dropout')!
      Object.assign(layer, {
        class_name: 'Conv1D',
        config: { name: layer.config.name, filters: 3, kernel_size: 1 },
      })
    })
    expect(refusal(() => decodeKeras(cut)).message).toContain('a mask of its own')
  })
})

describe('an archive', () => {
  it.each([
    ['without its configuration', withEntry(forecaster, 'config.json', undefined), 'MissingEntry'],
    ['without its metadata', withEntry(forecaster, 'metadata.json', undefined), 'MissingEntry'],
    ['without its weights', withEntry(forecaster, 'model.weights.h5', undefined), 'MissingEntry'],
    [
      'whose weights are Python pickles',
      withEntry(withEntry(forecaster, 'model.weights.npz', new Uint8Array(9)), 'model.weights.h5', undefined),
      'UnsupportedWeights',
    ],
    [
      'whose configuration is no JSON',
      withEntry(forecaster, 'config.json', new Uint8Array([123])),
      'InvalidConfig',
    ],
    [
      'whose configuration is no UTF-8',
      withEntry(forecaster, 'config.json', new Uint8Array([0x22, 0xff, 0x22])),
      'InvalidConfig',
    ],
    [
      'whose configuration is a number',
      withEntry(forecaster, 'config.json', new Uint8Array([0x37])),
      'InvalidConfig',
    ],
    ['whose weights are no HDF5', withEntry(forecaster, 'model.weights.h5', new Uint8Array(1000)), 'NotHdf5'],
    [
      'with the weights of another model',
      withEntry(forecaster, 'model.weights.h5', fixture('interop/keras_tagger.weights.h5')),
      'MissingTensor',
    ],
    ['of nothing', new Uint8Array(0), 'NotZip'],
  ])('%s is refused', (_, bytes, code) => {
    expect(refusal(() => decodeKeras(bytes)).code).toBe(code)
  })

  it('that asks for more than it holds is refused at once: sizes come from the tensors that are there', async () => {
    const input = { class_name: 'InputLayer', config: { batch_shape: [null, null], name: 'in' } }
    const embedding = {
      class_name: 'Embedding',
      config: { name: 'e', input_dim: 2 ** 30, output_dim: 2 ** 20 },
    }
    const bytes = await kerasFile([input, embedding], [numbered('/layers/embedding/vars', [2, 2])])
    const before = process.memoryUsage().rss
    const begin = process.cpuUsage()
    expect(refusal(() => decodeKeras(bytes)).code).toBe('ShapeMismatch')
    expect(cpuMilliseconds(begin)).toBeLessThan(1000)
    expect(process.memoryUsage().rss - before).toBeLessThan(64e6)
    // A kernel that fits its own units, beside a recurrent kernel that would be 4 TB.
    const lstm = { class_name: 'LSTM', config: { name: 'l', units: 2 ** 20 } }
    const narrow = numbered('/layers/lstm/cell/vars', [1, 2 ** 22], [1, 4], [4])
    const wide = await kerasFile([input, lstm], [narrow])
    expect(refusal(() => decodeKeras(wide)).code).toBe('ShapeMismatch')
  })
})
