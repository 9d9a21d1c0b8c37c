/** RNN: layers and directions of an Elman network, what the LSTM is compared with. */
import { describe, refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, LstmParameters, LstmVariant, PlanStep } from '../kernels/contract.ts'
import type { RnnActivation } from '../kernels/contract-rnn.ts'
import { maskedSteps } from '../kernels/masked-steps.ts'
import { requireLengths, requireMask, requireShape } from '../operations/common.ts'
import { dropout } from '../operations/dropout.ts'
import { restoreSteps, takeSteps } from '../operations/masked-steps.ts'
import { rnn } from '../operations/rnn.ts'
import { concat, select, stack } from '../operations/shape.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { type FloatDataType, Initialiser, requireBoolean, requireDataType } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'
import type { LSTMForwardOptions } from './lstm.ts'

export interface RNNOptions {
  inputSize: number
  hiddenSize: number
  /** L: each layer reads the output of the one before; default 1. */
  numLayers?: number
  /** f; default tanh. */
  nonlinearity?: RnnActivation
  /** Both biases, `bias_ih` and `bias_hh`; default true. */
  bias?: boolean
  /** Dropped, while training, from the output of every layer but the last; in [0, 1), default 0. */
  dropout?: number
  /** A second direction that reads each sequence from its last valid step; default false. */
  bidirectional?: boolean
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

/** An RNN's state: h [L·D, B, H], index layer·D + direction. */
export interface RNNState {
  h: Tensor
}

export interface RNNForwardOptions extends Omit<LSTMForwardOptions, 'state'> {
  /** Default zeros, as is null. */
  state?: RNNState | null
}

interface DirectionParameters {
  weightIh: Parameter
  weightHh: Parameter
  biasIh?: Parameter
  biasHh?: Parameter
}

const defaults = {
  numLayers: 1,
  nonlinearity: 'tanh',
  bias: true,
  dropout: 0,
  bidirectional: false,
  dataType: 'float32',
} as const satisfies Partial<RNNOptions>

type CompleteOptions = RNNOptions & Required<Omit<RNNOptions, 'seed'>>

/**
 *     h[t] = f(x[t]·W_ihᵀ + b_ih + h[t-1]·W_hhᵀ + b_hh)                    f = tanh or relu
 *
 * Elman (1990). Agrees with torch.nn.RNN (batch_first), whose names the parameters have: `weight_ih_l0` [H, I],
 * `weight_hh_l0` [H, H], `bias_ih_l0` and `bias_hh_l0` [H], with `_reverse` for the second direction. They start from
 * U(±1/√H). Steps that a mask leaves out keep h, as in `LSTM`.
 */
export class RNN extends Layer {
  /** The parameters of layer k and direction d: `weights[k][d]`. */
  readonly weights: readonly (readonly DirectionParameters[])[]
  readonly #options: CompleteOptions

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: RNNOptions) {
    super()
    this.#options = completeOptions(options)
    const { inputSize, hiddenSize: H, numLayers, bias } = this.#options
    const initialiser = new Initialiser(this.#options)
    const draw = (...shape: number[]) => initialiser.uniform(shape, 1 / Math.sqrt(H))
    const direction = (I: number): DirectionParameters => ({
      weightIh: draw(H, I),
      weightHh: draw(H, H),
      ...(bias ? { biasIh: draw(H), biasHh: draw(H) } : {}),
    })
    this.weights = Array.from({ length: numLayers }, (_, k) =>
      Array.from({ length: this.#directions }, () => direction(k === 0 ? inputSize : this.#directions * H)),
    )
  }

  /**
   * @param x [B, T, inputSize]
   * @returns output [B, T, D·H], zero at padded steps, and the state after each sequence's last valid step
   * @throws {RangeError} if a shape, a length or a mask does not fit
   */
  override forward(x: Tensor, options: RNNForwardOptions = {}): { output: Tensor; state: RNNState } {
    refuseUnknownOptions('RNN.forward', options, ['lengths', 'mask', 'state'])
    const { mask, lengths } = options
    const { inputSize, hiddenSize: H, nonlinearity, dropout: dropped, numLayers } = this.#options
    if (x.shape.length !== 3 || x.shape[2] !== inputSize) {
      throw new RangeError(`RNN.forward: expected x of shape [B, T, ${inputSize}], got [${x.shape}]`)
    }
    const D = this.#directions
    const [B, T] = x.shape
    const h0 = options.state?.h
    if (h0) requireShape('RNN.forward', 'state.h', h0, [numLayers * D, B, H])
    if (mask) requireMask('RNN.forward', mask, { B, T })
    if (lengths) requireLengths('RNN.forward', lengths, { B, T })
    const steps = mask && x.size > 0 ? maskedSteps(mask, { B, T, lengths }) : undefined

    const h: Tensor[] = []
    let output = steps ? takeSteps(x, steps) : x
    for (const [k, directions] of this.weights.entries()) {
      const outputs = directions.map((weights, d) => {
        const result = rnn(output, {
          ...weights,
          activation: nonlinearity,
          reverse: d === 1,
          h0: h0 && select(h0, { index: k * D + d }),
          lengths: steps ? steps.counts : lengths,
        })
        h.push(result.hn)
        return result.output
      })
      output = D === 1 ? outputs[0] : concat(outputs, { axis: 2 })
      if (this.training && k < numLayers - 1) output = dropout(output, { probability: dropped })
    }
    if (steps) {
      const reverse = Array.from({ length: D }, (_, d) => d === 1)
      output = restoreSteps(output, steps, { reverse, zeroMasked: false, lengths })
    }
    return { output, state: { h: stack(h) } }
  }

  override *parameters(): Iterable<[name: string, parameter: Parameter]> {
    for (const [k, directions] of this.weights.entries()) {
      for (const [d, { weightIh, weightHh, biasIh, biasHh }] of directions.entries()) {
        const suffix = `_l${k}${d === 1 ? '_reverse' : ''}`
        yield [`weight_ih${suffix}`, weightIh]
        yield [`weight_hh${suffix}`, weightHh]
        if (biasIh) yield [`bias_ih${suffix}`, biasIh]
        if (biasHh) yield [`bias_hh${suffix}`, biasHh]
      }
    }
  }

  /**
   * A plan has one recurrence: that of an LSTM whose input and output gates are 1, whose forget gate is 0 and whose
   * candidate has f. Its numbers are the same; it computes the three idle gates beside them.
   */
  override freeze(): readonly PlanStep[] {
    const { inputSize, hiddenSize: H, nonlinearity } = this.#options
    const D = this.#directions
    return this.weights.map((directions, k) => ({
      kind: 'lstm',
      I: k === 0 ? inputSize : D * H,
      H,
      P: 0,
      layerNorm: false,
      directions: directions.map((each, d) => ({
        reverse: d === 1,
        variant: variantOf(nonlinearity),
        parameters: gatesOf(each, H),
      })),
      merge: 'concat',
      returnSequences: true,
      zeroMasked: false,
      zoneoutCell: 0,
      zoneoutHidden: 0,
      eps: 1e-5,
    }))
  }

  override config(): LayerConfig {
    return { type: 'RNN', ...this.#options }
  }

  get #directions(): number {
    return this.#options.bidirectional ? 2 : 1
  }
}

function completeOptions(options: RNNOptions): CompleteOptions {
  const known = ['inputSize', 'hiddenSize', 'seed', ...Object.keys(defaults)]
  refuseUnknownOptions('RNN', options, known)
  const present = Object.entries(options).filter(([, value]) => value !== undefined)
  const all = { ...defaults, ...Object.fromEntries(present) } as CompleteOptions
  requireInteger('RNN', 'inputSize', all.inputSize)
  requireInteger('RNN', 'hiddenSize', all.hiddenSize)
  requireInteger('RNN', 'numLayers', all.numLayers)
  requireBoolean('RNN', 'bias', all.bias)
  requireBoolean('RNN', 'bidirectional', all.bidirectional)
  requireNumber('RNN', 'dropout', all.dropout, { low: 0, high: 1, open: true })
  requireDataType('RNN', all.dataType)
  if (all.nonlinearity !== 'tanh' && all.nonlinearity !== 'relu') {
    throw new TypeError(`RNN: expected nonlinearity tanh or relu, got ${describe(all.nonlinearity)}`)
  }
  return all
}

const linearGate = { kind: 'linear', alpha: 0, beta: 0 } as const

function variantOf(kind: RnnActivation): LstmVariant {
  return {
    gate: linearGate,
    cell: { kind, alpha: 0, beta: 0 },
    output: linearGate,
    clip: 0,
    coupledInputForget: false,
  }
}

/** The parameters as the candidate's in blocks of four gates, the others constant: i = 1, f = 0, o = 1. */
function gatesOf({ weightIh, weightHh, biasIh, biasHh }: DirectionParameters, H: number): LstmParameters {
  const like = weightHh.array as FloatArray
  const zeros = (length: number): FloatArray =>
    like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
  const candidate = (of: Tensor | undefined, width: number) => {
    const blocks = zeros(4 * H * width)
    if (of) blocks.set(of.array, 2 * H * width)
    return blocks
  }
  const biases = candidate(biasIh, 1)
  biases.fill(1, 0, H)
  biases.fill(1, 3 * H)
  return {
    weightIh: candidate(weightIh, weightIh.shape[1]),
    weightHh: candidate(weightHh, H),
    biasIh: biases,
    biasHh: candidate(biasHh, 1),
  }
}
