/** Files of Keras with images, normalised batches and simple recurrence: the layers that they become, and what is refused. */
import { describe, expect, it } from 'vitest'
import { decodeKeras, loadKeras } from '../lib/formats/keras/index.ts'
import { type BatchNorm, compile } from '../lib/index.ts'
import {
  expectClose,
  fixture,
  fixturePath,
  kerasFile,
  numbered,
  recorded,
  withConfig,
} from './support/keras.ts'
import { refusal } from './support/refusal.ts'

describe('a model of Keras', () => {
  it.each([
    ['images.keras', 'BatchNorm Conv2d Activation MaxPool2d Conv2d AveragePool2d Flatten Linear'],
    ['images_nested.h5', 'Conv2d Sequential GlobalAveragePool2d'],
    ['films.keras', 'TimeDistributed TimeDistributed TimeDistributed TimeDistributed LSTM Linear'],
    ['films_model.keras', 'TimeDistributed RNN LastStep'],
    ['films_global.keras', 'TimeDistributed TimeDistributed BatchNorm RNN'],
    ['simple_rnn.keras', 'Masking RNN BatchNorm RNN Reverse RNN LastStep'],
    ['simple_rnn_bidirectional.keras', 'RNN Reverse RNN GlobalMaxPool1d'],
  ])('%s becomes %s', async (name, types) => {
    const { layers } = await loadKeras(fixturePath(`keras/${name}`))
    expect(layers.map((layer) => layer.constructor.name).join(' ')).toBe(types)
  })

  it('tells its first convolution the size of its images, and so compiles', async () => {
    for (const name of ['images', 'films', 'films_model']) {
      const model = await loadKeras(fixturePath(`keras/${name}.keras`))
      const { x, y } = recorded(`keras/${name}.keras`, model)
      expectClose(compile(model).predictSync(x), y)
      expect(JSON.stringify(model.config())).toMatch(/"inputHeight":\d,"inputWidth":\d/)
    }
  })

  it('has the part of its running statistics that stays for momentum, ours the part that comes', async () => {
    const { layers } = await loadKeras(fixturePath('keras/images.keras'))
    expect((layers[0] as BatchNorm).config()).toMatchObject({ momentum: 0.1, eps: 0.01 })
  })

  const change =
    (option: string, value: unknown, of: string) =>
    (config: { config: { layers: { class_name: string; config: Record<string, unknown> }[] } }) => {
      const layer = config.config.layers.find(({ class_name }) => class_name === of)!
      layer.config[option] = value
    }

  it.each<[file: string, className: string, option: string, value: unknown, message: RegExp]>([
    ['images', 'Conv2D', 'data_format', 'channels_first', /expected data_format: "channels_last"/],
    ['images', 'MaxPooling2D', 'data_format', 'channels_first', /expected data_format: "channels_last"/],
    ['images', 'Conv2D', 'padding', 'causal', /expected padding to be valid, same/],
    ['images', 'Conv2D', 'kernel_size', [3, 2, 1], /expected kernel_size to be 2 positive integers/],
    ['images', 'BatchNormalization', 'axis', 1, /expected axis: -1, got 1/],
    ['images', 'BatchNormalization', 'renorm', true, /expected renorm: false/],
    ['simple_rnn', 'SimpleRNN', 'activation', 'sigmoid', /expected activation tanh or relu, got sigmoid/],
    ['simple_rnn', 'SimpleRNN', 'recurrent_dropout', 0.1, /expected recurrent_dropout: 0, got 0.1/],
    ['simple_rnn', 'SimpleRNN', 'stateful', true, /expected stateful: false/],
    ['simple_rnn', 'SimpleRNN', 'go_backwards', true, /the mask is not turned round there/],
    ['simple_rnn_bidirectional', 'Bidirectional', 'merge_mode', 'sum', /expected merge_mode: "concat"/],
  ])('%s whose %s has %s: %j is refused', (file, className, option, value, message) => {
    const bytes = withConfig(fixture(`keras/${file}.keras`), change(option, value, className) as never)
    const error = refusal(() => decodeKeras(bytes))
    expect(error.code).toMatch(/UnsupportedOption|InvalidConfig/)
    expect(error.message).toMatch(message)
  })

  it('is refused where a mask would be of places, or of two directions', async () => {
    const file = (shape: unknown[], layers: object[], ...groups: Parameters<typeof kerasFile>[1][number][]) =>
      kerasFile(
        [
          { class_name: 'InputLayer', config: { batch_shape: shape } },
          { class_name: 'Masking', config: {} },
          ...layers,
        ],
        groups,
      )
    const images = await file([null, 4, 4, 1], [{ class_name: 'GlobalMaxPooling2D', config: {} }])
    expect(() => decodeKeras(images)).toThrow(
      /expected an input of \[batch, steps, features\], got one of 4 axes/,
    )
    const inner = { class_name: 'SimpleRNN', config: { units: 1, use_bias: false, return_sequences: true } }
    const cells = ['forward_layer', 'backward_layer'].map((part) =>
      numbered(`/layers/bidirectional/${part}/cell/vars`, [2, 1], [1, 1]),
    )
    const config = { layer: inner, merge_mode: 'concat' }
    const both = await file([null, 4, 2], [{ class_name: 'Bidirectional', config }], ...cells)
    expect(() => decodeKeras(both)).toThrow(
      /expected no mask: masked steps of its Bidirectional are zeros there/,
    )
  })
})
