/** Masks and lengths on their way through a Sequential: who makes them, who hands them on, who takes them away. */
import { describe, expect, it } from 'vitest'
import { activation } from '../lib/layers/activation.ts'
import { Conv1d } from '../lib/layers/convolution.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import type { ForwardOptions, Layer, Model } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../lib/layers/pooling.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { Flatten, Masking, Reverse, TimeDistributed } from '../lib/layers/steps.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { randomTensor } from './support/finite-differences.ts'

/** Remembers what came beside x. */
class Recorder implements Model {
  given: ForwardOptions = {}
  forward(x: Tensor, options: ForwardOptions = {}): Tensor {
    this.given = options
    return x
  }
}

/** What a layer after these would be given. */
function passedOn(layers: readonly Model[], x: Tensor, options: ForwardOptions = {}): ForwardOptions {
  const recorder = new Recorder()
  new Sequential([...layers, recorder]).forward(x, options)
  return recorder.given
}

const x = randomTensor([2, 6, 3])
const mask = Uint8Array.of(1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1)
const lengths = Int32Array.of(6, 4)
const conv = (options: object) =>
  new Conv1d({ inputChannels: 3, outputChannels: 2, kernelSize: 3, dataType: 'float64', ...options })

describe('a mask', () => {
  const kept: [string, Layer][] = [
    ['Linear', new Linear({ inputSize: 3, outputSize: 2, dataType: 'float64' })],
    ['an activation', activation('relu')],
    [
      'TimeDistributed',
      new TimeDistributed(new Linear({ inputSize: 3, outputSize: 2, dataType: 'float64' })),
    ],
  ]
  it.each(kept)('goes on past %s', (_, layer) => {
    expect(passedOn([layer], x, { mask }).mask).toBe(mask)
  })

  const lost: [string, Layer][] = [
    ['Conv1d, even where T stays', conv({ padding: 'same' })],
    ['MaxPool1d', new MaxPool1d({ size: 1 })],
    ['AveragePool1d', new AveragePool1d({ size: 2 })],
    ['GlobalMaxPool1d', new GlobalMaxPool1d()],
    ['GlobalAveragePool1d', new GlobalAveragePool1d()],
    ['Flatten', new Flatten()],
  ]
  it.each(lost)('ends at %s', (_, layer) => {
    expect(passedOn([layer], x, { mask })).toEqual({})
  })

  it('ends at a layer of the user that changes T, and passes one that does not', () => {
    const halve = { forward: (input: Tensor) => new MaxPool1d({ size: 2 }).forward(input) as Tensor }
    expect(passedOn([halve], x, { mask })).toEqual({})
    expect(passedOn([{ forward: (input: Tensor) => input }], x, { mask })).toEqual({ mask })
  })

  it('is made by Masking where a feature is not the value, whatever came before', () => {
    const sequence = tensor([
      [
        [0, 0],
        [0, 1],
        [2, 2],
      ],
    ])
    expect(passedOn([new Masking()], sequence, { mask: new Uint8Array(3) }).mask).toEqual(
      Uint8Array.of(0, 1, 1),
    )
    expect(passedOn([new Masking({ value: 2 })], sequence).mask).toEqual(Uint8Array.of(1, 1, 0))
    // 0.1 as float32 is not 0.1: the value is rounded as the features are.
    const tenths = tensor([[[0.1], [0.2]]])
    expect(passedOn([new Masking({ value: 0.1 })], tenths).mask).toEqual(Uint8Array.of(0, 1))
    expect([...new Masking({ value: 0.1 }).forward(tenths).data]).toEqual([0, Math.fround(0.2)])
  })

  it('is made by an Embedding with maskZero, and by no other', () => {
    const tokens = tensor(Int32Array.of(3, 0, 1, 0, 0, 2), { shape: [2, 3] })
    const options = { vocabularySize: 4, embeddingSize: 2 }
    const made = passedOn([new Embedding({ ...options, maskZero: true })], tokens).mask
    expect(made).toEqual(Uint8Array.of(1, 0, 1, 0, 0, 1))
    expect(passedOn([new Embedding(options)], tokens)).toEqual({})
    const before = new Uint8Array(6)
    expect(passedOn([new Embedding(options)], tokens, { mask: before }).mask).toBe(before)
  })

  it('is reversed with its steps', () => {
    expect(passedOn([new Reverse()], x, { mask }).mask).toEqual(
      Uint8Array.of(0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0),
    )
    const within = Uint8Array.of(0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1)
    expect(passedOn([new Reverse()], x, { mask, lengths }).mask).toEqual(within)
  })

  it('stays as it was behind a Reverse with keepMask', () => {
    const kept = new Reverse({ keepMask: true })
    expect(passedOn([kept], x, { mask }).mask).toEqual(mask)
    expect(kept.forward(x).data).toEqual(new Reverse().forward(x).data)
    expect(() => new Reverse({ keepMask: 1 } as never)).toThrow('expected keepMask to be')
  })

  it('comes out of a Sequential inside, and goes into it', () => {
    expect(passedOn([new Sequential([new Masking(), activation('tanh')])], x).mask).toEqual(
      new Uint8Array(12).fill(1),
    )
    expect(passedOn([new Sequential([conv({ padding: 'same' })])], x, { mask })).toEqual({})
    const inner = new Recorder()
    new Sequential([new Sequential([inner])]).forward(x, { mask, lengths })
    expect(inner.given).toEqual({ mask, lengths })
  })
})

describe('lengths', () => {
  it.each([
    [conv({}), [4, 2]],
    [conv({ padding: 'same', stride: 2 }), [3, 2]],
    [conv({ padding: 'causal' }), [6, 4]],
    [new MaxPool1d({ size: 2 }), [3, 2]],
    [new AveragePool1d({ size: 5, stride: 1 }), [2, 0]],
  ])('become those of the windows that the valid steps fill: %#', (layer, expected) => {
    expect(passedOn([layer], x, { lengths }).lengths).toEqual(Int32Array.from(expected))
    const inside = new Sequential([layer])
    expect(passedOn([inside], x, { lengths }).lengths).toEqual(Int32Array.from(expected))
  })

  it('of 0 stay 0, whatever the padding', () => {
    const none = Int32Array.of(0, 0)
    expect(passedOn([conv({ padding: 2 })], x, { lengths: none }).lengths).toEqual(none)
  })

  it('keep global pools to the valid steps, with a mask to those of them that count', () => {
    const sequence = tensor([[[1], [2], [6], [100]]])
    const options = { lengths: Int32Array.of(3), mask: Uint8Array.of(1, 0, 1, 1) }
    const pooled = (layer: Layer, given: ForwardOptions) => (layer.forward(sequence, given) as Tensor).data[0]
    expect(pooled(new GlobalAveragePool1d(), { lengths: options.lengths })).toBe(3)
    expect(pooled(new GlobalAveragePool1d(), options)).toBe(3.5)
    // Keras' GlobalMaxPooling1D takes no mask.
    const highest = { ...options, mask: Uint8Array.of(1, 1, 0, 1) }
    expect(pooled(new GlobalMaxPool1d(), highest)).toBe(6)
    expect(pooled(new GlobalMaxPool1d(), { lengths: Int32Array.of(0) })).toBe(0)
  })
})

describe('TimeDistributed', () => {
  it('gives each step what its layer gives it alone', () => {
    const layer = new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 2, seed: 1, dataType: 'float64' }),
      new Flatten(),
    ])
    const windowed = randomTensor([2, 4, 5, 3])
    const whole = new TimeDistributed(layer).forward(windowed)
    expect(whole.shape).toEqual([2, 4, 10])
    const [b, t] = [1, 2]
    const item = tensor(windowed.data.slice((b * 4 + t) * 15, (b * 4 + t + 1) * 15), { shape: [1, 5, 3] })
    expect([...whole.data.slice((b * 4 + t) * 10, (b * 4 + t + 1) * 10)]).toEqual([
      ...layer.forward(item).data,
    ])
  })

  it('refuses what is no layer, and x without steps', () => {
    expect(() => new TimeDistributed({} as Layer)).toThrow('expected a layer of the package, got Object')
    expect(() => new TimeDistributed(activation('relu')).forward(randomTensor([3]))).toThrow(
      '[B, T, ...], got [3]',
    )
  })
})
