/** Gradients of the LSTM, operation and layers, against float64 finite differences, for every option. */
import { describe, expect, it } from 'vitest'
import { setTraining } from '../lib/layers/layer.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LSTMCell } from '../lib/layers/lstm-cell.ts'
import { type LstmCall, type LstmWeights, lstm } from '../lib/operations/lstm.ts'
import type { Tensor } from '../lib/tensor.ts'
import { expectGradients, type Inputs, randomTensor } from './support/finite-differences.ts'

const [B, T, I, H] = [3, 4, 2, 3]
const lengths = Int32Array.of(2, 0, T)

describe.each([
  1, 2,
])('gradients of the operation lstm, number of directions %i, agree with finite differences:', (D) => {
  /** Checks x, h0, c0 and every parameter, with and without lengths. */
  const check = (
    { P = 0, ...has }: { P?: number; bias?: boolean; peephole?: boolean; norm?: boolean },
    options: Omit<LstmCall, 'directions'> = {},
  ) => {
    const R = P || H
    const shapes: Partial<Record<keyof LstmWeights, number[]>> = {
      weightIh: [4 * H, I],
      weightHh: [4 * H, R],
      ...(has.bias !== false && { biasIh: [4 * H], biasHh: [4 * H] }),
      ...(P && { weightHr: [P, H] }),
      ...(has.peephole && { peephole: [3, H] }),
      ...(has.norm && { normIh: [4 * H], normHh: [4 * H], normCell: [2, H] }),
    }
    const inputs: Inputs = {
      x: randomTensor([B, T, I], { seed: 1 }),
      h0: randomTensor([D, B, R], { seed: 2 }),
      c0: randomTensor([D, B, H], { seed: 3 }),
    }
    for (let d = 0; d < D; d++) {
      for (const [name, shape] of Object.entries(shapes)) {
        inputs[`${name}.${d}`] = randomTensor(shape, { seed: 10 + Object.keys(inputs).length })
      }
    }
    for (const valid of [undefined, lengths]) {
      expectGradients(inputs, ({ x, h0, c0, ...weights }) => {
        const ofDirection = (d: number) =>
          Object.fromEntries(Object.keys(shapes).map((name) => [name, weights[`${name}.${d}`]]))
        const directions = Array.from({ length: D }, (_, d) => ofDirection(d) as unknown as LstmWeights)
        return Object.values(lstm(x, { directions, h0, c0, lengths: valid, ...options }))
      })
    }
  }
  const mask = (shape: number[], value = 1): Tensor => {
    const made = randomTensor(shape, { seed: 4, low: 0, high: 1 }).detach()
    for (const [i, each] of made.array.entries()) made.array[i] = each < 0.6 ? value : 0
    return made
  }

  it('plain', () => check({}))
  it('without biases', () => check({ bias: false }))
  it('with a projection', () => check({ P: 2 }))
  it('with peepholes', () => check({ peephole: true }))
  it('with layer normalisation', () => check({ norm: true }))
  it('with layer normalisation and no biases', () => check({ norm: true, bias: false }))
  it('with recurrent dropout', () => check({}, { recurrentMask: mask([D, B, H], 1 / 0.6) }))
  it('with zoneout of h', () => check({}, { zoneoutHidden: mask([D, B, T, H]) }))
  it('with zoneout of c', () => check({}, { zoneoutCell: mask([D, B, T, H]) }))
  it('with the expectation of zoneout', () => check({}, { zoneoutHidden: 0.2, zoneoutCell: 0.3 }))
  it('with everything at once', () =>
    check(
      { P: 2, peephole: true, norm: true },
      {
        recurrentMask: mask([D, B, 2], 1 / 0.6),
        zoneoutHidden: mask([D, B, T, 2]),
        zoneoutCell: mask([D, B, T, H]),
        eps: 0.01,
      },
    ))
})

describe('gradients of a single output of the operation lstm agree with finite differences:', () => {
  const weights = {
    weightIh: randomTensor([4 * H, I], { seed: 1 }),
    weightHh: randomTensor([4 * H, H], { seed: 2 }),
  }

  it.each(['output', 'hn', 'cn'] as const)('%s', (name) => {
    expectGradients({ x: randomTensor([B, T, I]), ...weights }, ({ x, weightIh, weightHh }) => {
      return lstm(x, { directions: [{ weightIh, weightHh }], lengths })[name]
    })
  })
})

const options: LSTMOptions = { inputSize: I, hiddenSize: H, seed: 7, dataType: 'float64' }

describe.each([
  ['in training', true],
  ['in evaluation', false],
])('gradients of LSTM %s agree with finite differences:', (_, training) => {
  const check = (more: Partial<LSTMOptions>) => {
    const layer = new LSTM({ ...options, ...more })
    setTraining(layer, training)
    const rows = (more.numLayers ?? 1) * (more.bidirectional ? 2 : 1)
    const inputs = {
      x: randomTensor([B, T, I], { seed: 1 }),
      h: randomTensor([rows, B, more.projectionSize || H], { seed: 2 }),
      c: randomTensor([rows, B, H], { seed: 3 }),
      ...Object.fromEntries(layer.parameters()),
    }
    expectGradients(inputs, ({ x, h, c }) => {
      const { output, state } = layer.forward(x, { lengths, state: { h, c } })
      return [output, state.h, state.c]
    })
  }

  it('two layers', () => check({ numLayers: 2 }))
  it('two layers and directions', () => check({ numLayers: 2, bidirectional: true }))
  it('two layers with projections', () => check({ numLayers: 2, bidirectional: true, projectionSize: 2 }))
  it('peepholes and no bias', () => check({ peepholes: true, bias: false }))
  it('layer normalisation', () => check({ numLayers: 2, layerNorm: true }))
  it('dropout between layers', () => check({ numLayers: 3, dropout: 0.4 }))
  it('recurrent dropout', () => check({ numLayers: 2, bidirectional: true, recurrentDropout: 0.4 }))
  it('zoneout', () => check({ numLayers: 2, bidirectional: true, zoneoutHidden: 0.3, zoneoutCell: 0.4 }))
  it('everything at once', () =>
    check({
      numLayers: 2,
      bidirectional: true,
      projectionSize: 2,
      peepholes: true,
      layerNorm: true,
      dropout: 0.2,
      recurrentDropout: 0.3,
      zoneoutHidden: 0.2,
      zoneoutCell: 0.3,
    }))
})

describe('gradients of LSTMCell agree with finite differences', () => {
  it.each([true, false])('over two steps written by hand, training %s', (training) => {
    const cell = new LSTMCell({
      ...options,
      projectionSize: 2,
      peepholes: true,
      zoneoutHidden: 0.3,
      zoneoutCell: 0.2,
    })
    setTraining(cell, training)
    const inputs = {
      first: randomTensor([B, I], { seed: 1 }),
      second: randomTensor([B, I], { seed: 2 }),
      h: randomTensor([B, 2], { seed: 3 }),
      c: randomTensor([B, H], { seed: 4 }),
      ...Object.fromEntries(cell.parameters()),
    }
    expect(Object.keys(inputs)).toContain('weight_hr')
    expectGradients(inputs, ({ first, second, h, c }) => {
      const { output, state } = cell.forward(first, { state: { h, c } })
      const last = cell.forward(second, { state })
      return [output, last.output, last.state.c]
    })
  })
})
