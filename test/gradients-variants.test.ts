/** Gradients of the LSTM's variants against float64 finite differences, and what their options refuse. */
import { describe, expect, it } from 'vitest'
import { activations } from '../lib/kernels/reference/activations.ts'
import { Embedding } from '../lib/layers/embedding.ts'
import { LastStep } from '../lib/layers/last-step.ts'
import { setTraining } from '../lib/layers/layer.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LSTMCell } from '../lib/layers/lstm-cell.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { lstm } from '../lib/operations/lstm.ts'
import { type LstmVariantOptions, lstmVariant } from '../lib/operations/lstm-variant.ts'
import { Tensor } from '../lib/tensor.ts'
import { expectGradients, randomTensor } from './support/finite-differences.ts'
import { activationOptions } from './support/lstm-variants.ts'

const [B, T, I, H] = [3, 4, 2, 3]

function checkOperation(variants: LstmVariantOptions[], shapes: Record<string, number[]> = {}) {
  const D = variants.length
  const inputs: Record<string, Tensor> = {
    x: randomTensor([B, T, I], { seed: 1 }),
    h0: randomTensor([D, B, H], { seed: 2 }),
    c0: randomTensor([D, B, H], { seed: 3 }),
  }
  const weights = { weightIh: [4 * H, I], weightHh: [4 * H, H], biasIh: [4 * H], ...shapes }
  for (let d = 0; d < D; d++) {
    for (const [name, shape] of Object.entries(weights)) {
      inputs[`${name}.${d}`] = randomTensor(shape, { seed: 10 + Object.keys(inputs).length })
    }
  }
  expectGradients(inputs, ({ x, h0, c0, ...all }) => {
    const directions = variants.map((_, d) =>
      Object.fromEntries(Object.keys(weights).map((name) => [name, all[`${name}.${d}`]])),
    ) as never
    const lengths = Int32Array.of(2, T, 3)
    return Object.values(lstm(x, { directions, h0, c0, lengths, variants: variants.map(lstmVariant) }))
  })
}

describe('gradients of the operation lstm agree with finite differences with', () => {
  it.each(activationOptions)('the function $kind in every place', (each) => {
    checkOperation([{ gateActivation: each }])
    checkOperation([{ cellActivation: each }])
    checkOperation([{ outputActivation: each }])
  })

  it('bounds that hold some sums back, with peepholes', () => {
    checkOperation([{ clip: 0.4 }], { peephole: [3, H] })
    checkOperation([{ clip: 0.4, cellActivation: { kind: 'leakyRelu', alpha: -0.5 } }])
  })

  it('coupled gates, with peepholes', () =>
    checkOperation([{ coupledInputForget: true }], { peephole: [3, H] }))

  it('layer normalisation', () => {
    const norms = { normIh: [4 * H], normHh: [4 * H], normCell: [2, H] }
    checkOperation([{ gateActivation: 'silu', outputActivation: 'mish', clip: 0.8 }], norms)
  })

  it('directions that differ', () =>
    checkOperation([
      { gateActivation: { kind: 'hardSigmoid', alpha: 0.2 }, coupledInputForget: true },
      { cellActivation: 'softsign', clip: 0.5 },
    ]))
})

const holes = Uint8Array.of(0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0)

describe.each([
  ['in training', true],
  ['in evaluation', false],
])('gradients of LSTM %s agree with finite differences with', (_, training) => {
  const check = (
    more: Partial<LSTMOptions>,
    { mask, lengths }: { mask?: Uint8Array; lengths?: Int32Array } = {},
  ) => {
    const layer = new LSTM({ inputSize: I, hiddenSize: H, seed: 7, dataType: 'float64', ...more })
    setTraining(layer, training)
    const rows = (more.numLayers ?? 1) * (more.bidirectional ? 2 : 1)
    const inputs = {
      x: randomTensor([B, T, I], { seed: 1 }),
      h: randomTensor([rows, B, H], { seed: 2 }),
      c: randomTensor([rows, B, H], { seed: 3 }),
      ...Object.fromEntries(layer.parameters()),
    }
    expectGradients(inputs, ({ x, h, c }) => {
      const { output, state } = layer.forward(x, { mask, lengths, state: { h, c } })
      return [output, state.h, state.c]
    })
  }

  it('reverse', () => check({ reverse: true, numLayers: 2 }, { lengths: Int32Array.of(2, 0, T) }))
  it.each(['concat', 'sum', 'mul', 'average'] as const)('merge: %s', (merge) => {
    check({ bidirectional: true, numLayers: 2, merge })
    check({ bidirectional: true, numLayers: 2, merge, returnSequences: false }, { mask: holes })
  })
  it('the last output alone', () => check({ returnSequences: false }, { lengths: Int32Array.of(2, 0, T) }))
  it('a mask with holes', () => check({ numLayers: 2, dropout: 0.3, zoneoutHidden: 0.3 }, { mask: holes }))
  it('a mask with holes in two directions', () => check({ bidirectional: true }, { mask: holes }))
  it('a mask and lengths', () =>
    check({ bidirectional: true, zeroMasked: true }, { mask: holes, lengths: Int32Array.of(3, 3, 2) }))
})

describe('gradients of LSTMCell agree with finite differences', () => {
  it('with other functions', () => {
    const cell = new LSTMCell({
      inputSize: I,
      hiddenSize: H,
      gateActivation: { kind: 'hardSigmoid', alpha: 1 / 6 },
      cellActivation: 'softsign',
      clip: 0.8,
      seed: 1,
      dataType: 'float64',
    })
    const inputs = { x: randomTensor([B, I], { seed: 1 }), ...Object.fromEntries(cell.parameters()) }
    expectGradients(inputs, ({ x }) => {
      const { output, state } = cell.forward(x)
      return [output, state.c]
    })
  })
})

describe('a masked step', () => {
  const layer = new LSTM({ inputSize: I, hiddenSize: H, seed: 1, dataType: 'float64' })
  const x = randomTensor([1, T, I]).detach()

  it('leaves h and c as they are, repeats the output before it, and lets nothing of its input through', () => {
    const mask = Uint8Array.of(0, 1, 0, 1)
    const noisy = x.clone()
    noisy.data.fill(Number.NaN, 0, I).fill(Number.NaN, 2 * I, 3 * I)
    const [clean, masked] = [x, noisy].map((input) => layer.forward(input, { mask }))
    expect(masked.output.data).toEqual(clean.output.data)
    const [first, second, third, fourth] = (masked.output.toArray() as number[][][])[0]
    expect(first).toEqual([0, 0, 0])
    expect(third).toEqual(second)
    expect(fourth).toEqual([...masked.state.h.data])
    const short = new Tensor(
      [1, 2, I],
      x.data.filter((_, i) => mask[Math.floor(i / I)] === 1),
    )
    expect(layer.forward(short).state.c.data).toEqual(masked.state.c.data)
  })

  it('gives its input no gradient', () => {
    const input = new Tensor([1, T, I], x.data.slice(), true)
    layer.forward(input, { mask: Uint8Array.of(1, 0, 1, 0) }).output.backward(new Float64Array(T * H).fill(1))
    expect([...input.grad!].map((each) => each !== 0)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
      false,
    ])
  })

  it('comes from an embedding, goes through every layer, and ends with the sequence', () => {
    const embedding = new Embedding({
      vocabularySize: 5,
      embeddingSize: I,
      maskZero: true,
      seed: 1,
      dataType: 'float64',
    })
    const tokens = new Tensor([1, T], Int32Array.of(0, 3, 0, 4))
    const outer = new Sequential([new Sequential([embedding]), layer, new LastStep()])
    const { state } = layer.forward(embedding.forward(tokens), { mask: Uint8Array.of(0, 1, 0, 1) })
    expect(outer.forward(tokens).data).toEqual(state.h.data.slice())
    const late = outer.forward(new Tensor([1, T], Int32Array.of(3, 4, 0, 0)))
    const early = outer.forward(new Tensor([1, 2], Int32Array.of(3, 4)))
    expect(late.data).toEqual(early.data)
  })
})

describe('the options of variants', () => {
  const make = (options: object) => () => new LSTM({ inputSize: 1, hiddenSize: 1, ...options })

  it.each([
    [{ gateActivation: 'sigmid' }, 'LSTM: gateActivation has no function "sigmid"; did you mean "sigmoid"?'],
    [{ gateActivation: 'hardSigmoid' }, 'hardSigmoid needs its alpha: 1/6 in Keras 3, 0.2 in Keras 2'],
    [{ cellActivation: { kind: 'affine', alpha: 1 } }, 'affine needs its beta'],
    [{ cellActivation: { kind: 'tanh', alpha: 1 } }, 'tanh has no alpha; leave it out'],
    [{ outputActivation: { kind: 'elu', alpha: Number.NaN } }, 'outputActivation.alpha'],
    [{ clip: -1 }, 'expected clip in [0'],
    [{ coupledInputForget: 1 }, 'expected coupledInputForget to be true or false, got 1'],
    [{ reverse: true, bidirectional: true }, 'reverse is for one direction'],
    [{ merge: 'sum' }, "merge: 'sum' needs bidirectional: true"],
    [{ merge: 'ave', bidirectional: true }, 'expected merge to be one of concat, sum, mul, average'],
    [{ returnSequence: false }, 'did you mean "returnSequences"?'],
  ])('refuse %j', (options, message) => expect(make(options)).toThrow(message))

  it('name every function that there is', () => {
    expect(activationOptions.map(({ kind }) => kind).sort()).toEqual(Object.keys(activations).sort())
  })

  it('come back from config() with every number said', () => {
    const options = { gateActivation: { kind: 'hardSigmoid', alpha: 0.2 }, outputActivation: { kind: 'elu' } }
    const config = make({ ...options, clip: 3, bidirectional: true, merge: 'average' })().config()
    expect(config).toMatchObject({
      gateActivation: { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
      cellActivation: 'tanh',
      outputActivation: { kind: 'elu', alpha: 1 },
      clip: 3,
      merge: 'average',
    })
    const { type, ...again } = config
    expect(make(again)().config()).toEqual(config)
  })

  it('refuse masks and variants that do not fit', () => {
    const layer = new LSTM({ inputSize: 1, hiddenSize: 1 })
    const x = new Tensor([2, 3, 1], new Float32Array(6))
    expect(() => layer.forward(x, { mask: new Uint8Array(5) })).toThrow('B·T = 6 bytes, got Uint8Array(5)')
    const [[weights]] = layer.weights
    expect(() => lstm(x, { directions: [weights], variants: [] })).toThrow(
      'a variant for each of 1 directions',
    )
    expect(() => lstm(x, { directions: [weights, weights], reverse: true })).toThrow('one direction, got two')
  })
})
