/** LSTM variants against the numbers of onnxruntime and Keras (fixtures/variants), on the reference and every target. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compile } from '../lib/inference/plan.ts'
import type { ActivationName } from '../lib/kernels/contract.ts'
import { backend, useBackend } from '../lib/kernels/index.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { type LstmWeights, lstm } from '../lib/operations/lstm.ts'
import { type LstmActivationOption, lstmVariant } from '../lib/operations/lstm-variant.ts'
import { reshape, select, transpose } from '../lib/operations/shape.ts'
import { noGrad } from '../lib/tape.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'

interface Plain {
  shape: number[]
  data: number[]
}

useBackend('native')
const backends = ['reference', ...backend().available] as const
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/variants/${name}.json`, import.meta.url), 'utf8')).cases

const float32 = ({ shape, data }: Plain): Tensor => tensor(Float32Array.from(data), { shape })

/** Numbers of the order of 1 through six steps of float32, on both sides. */
function expectClose(actual: Tensor, { shape, data }: Plain, what: string) {
  expect(actual.shape, what).toEqual(shape)
  const error = data.reduce((most, each, i) => Math.max(most, Math.abs(each - actual.data[i])), 0)
  expect(error, what).toBeLessThan(2e-6)
}

/** The blocks of an [n·H, ...] array in another order. */
function reorder({ shape, data }: Plain, order: readonly number[]): Plain {
  const size = data.length / order.length
  return { shape, data: order.flatMap((block) => data.slice(block * size, (block + 1) * size)) }
}

const row = ({ shape, data }: Plain, d: number): Plain => {
  const size = data.length / shape[0]
  return { shape: shape.slice(1), data: data.slice(d * size, (d + 1) * size) }
}

interface OnnxCase {
  name: string
  direction: 'forward' | 'reverse' | 'bidirectional'
  attributes: {
    clip?: number
    input_forget?: number
    activations?: string[]
    activation_alpha?: number[]
    activation_beta?: number[]
  }
  sequence_lens?: Plain
  [input: string]: unknown
}

/** The alphas and betas of ONNX are lists from which each function in turn takes what it needs. */
function onnxActivations({
  activations = [],
  activation_alpha = [],
  activation_beta = [],
}: OnnxCase['attributes']) {
  const hasAlpha = ['affine', 'leakyRelu', 'thresholdedRelu', 'scaledTanh', 'hardSigmoid', 'elu']
  const hasBeta = ['affine', 'scaledTanh', 'hardSigmoid']
  const [alphas, betas] = [[...activation_alpha], [...activation_beta]]
  return activations.map((name): LstmActivationOption => {
    const kind = (name[0].toLowerCase() + name.slice(1)) as ActivationName
    if (!hasAlpha.includes(kind)) return kind
    return { kind, alpha: alphas.shift(), beta: hasBeta.includes(kind) ? betas.shift() : undefined }
  })
}

function onnxWeights(each: OnnxCase, d: number): LstmWeights {
  const of = (name: string) => row(each[name] as Plain, d)
  const gates = (plain: Plain) => float32(reorder(plain, [0, 2, 3, 1]))
  const { data, shape } = of('B')
  const half = shape[0] / 2
  return {
    weightIh: gates(of('W')),
    weightHh: gates(of('R')),
    biasIh: gates({ shape: [half], data: data.slice(0, half) }),
    biasHh: gates({ shape: [half], data: data.slice(half) }),
    peephole: each.P ? reshape(float32(reorder(of('P'), [0, 2, 1])), [3, half / 4]) : undefined,
  }
}

describe.each(backends)('the operation lstm on %s equals onnxruntime:', (name) => {
  it.each(read('onnx') as OnnxCase[])('$name', (each) => {
    useBackend(name)
    const D = each.direction === 'bidirectional' ? 2 : 1
    const functions = onnxActivations(each.attributes)
    const { clip, input_forget } = each.attributes
    const { output, hn, cn } = lstm(transpose(float32(each.X as Plain), { axes: [0, 1] }), {
      directions: Array.from({ length: D }, (_, d) => onnxWeights(each, d)),
      reverse: each.direction === 'reverse',
      variants: Array.from({ length: D }, (_, d) =>
        lstmVariant({
          gateActivation: functions[3 * d],
          cellActivation: functions[3 * d + 1],
          outputActivation: functions[3 * d + 2],
          clip,
          coupledInputForget: input_forget === 1,
        }),
      ),
      h0: float32(each.initial_h as Plain),
      c0: float32(each.initial_c as Plain),
      lengths: each.sequence_lens && Int32Array.from(each.sequence_lens.data),
    })
    const [T, , B, H] = (each.Y as Plain).shape
    const y = transpose(reshape(output, [B, T, D, H]), { axes: [0, 1] })
    expectClose(transpose(y, { axes: [1, 2] }), each.Y as Plain, 'Y')
    expectClose(hn, each.Y_h as Plain, 'Y_h')
    expectClose(cn, each.Y_c as Plain, 'Y_c')
  })
})

interface KerasCase {
  name: string
  options: Record<string, string | boolean>
  bidirectional: 'concat' | 'sum' | 'mul' | 'ave' | null
  mask: Plain | null
  x: Plain
  y: Plain
  directions: Record<string, Plain>[]
}

function kerasLayer({ options, bidirectional, x, directions }: KerasCase): LSTM {
  const { activation = 'tanh', recurrent_activation: gate = 'sigmoid' } = options
  const sequences = options.return_sequences === true
  const merge = bidirectional === 'ave' ? 'average' : bidirectional
  const layer = new LSTM({
    inputSize: x.shape[2],
    hiddenSize: directions[0].recurrent_kernel.shape[0],
    gateActivation:
      gate === 'hard_sigmoid' ? { kind: 'hardSigmoid', alpha: 1 / 6 } : (gate as ActivationName),
    cellActivation: activation as ActivationName,
    outputActivation: activation as ActivationName,
    reverse: options.go_backwards === true,
    bidirectional: bidirectional !== null,
    merge: merge ?? undefined,
    returnSequences: sequences,
    // Bidirectional forces it on sequences.
    zeroMasked: options.zero_output_for_mask === true || (bidirectional !== null && sequences),
  } satisfies LSTMOptions)
  for (const [d, { weightIh, weightHh, biasIh, biasHh }] of layer.weights[0].entries()) {
    weightIh.data.set(transpose(float32(directions[d].kernel)).data)
    weightHh.data.set(transpose(float32(directions[d].recurrent_kernel)).data)
    biasIh!.data.set(directions[d].bias.data)
    biasHh!.data.fill(0)
  }
  return layer
}

describe.each(backends)('LSTM on %s equals Keras:', (name) => {
  it.each(read('keras') as KerasCase[])('$name', (each) => {
    useBackend(name)
    const layer = kerasLayer(each)
    const mask = each.mask ? Uint8Array.from(each.mask.data) : undefined
    const { output } = noGrad(() => layer.forward(float32(each.x), { mask }))
    const plan = compile(layer).predictSync(float32(each.x), { mask })
    expect([...plan.data]).toEqual([...output.data])
    // Keras gives the sequences that it reads backwards in the order of reading.
    const isBackwards = each.options.go_backwards === true && each.options.return_sequences === true
    const T = each.x.shape[1]
    for (let t = 0; isBackwards && t < T; t++) {
      const { shape, data } = select(float32(each.y), { axis: 1, index: T - 1 - t })
      expectClose(select(output, { axis: 1, index: t }), { shape: [...shape], data: [...data] }, `step ${t}`)
    }
    if (!isBackwards) expectClose(output, each.y, 'y')
  })
})
