/** LSTM: layers and directions of long short-term memory (Hochreiter & Schmidhuber 1997) with every option. */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray, LstmParameters, PlanStep } from '../kernels/contract.ts'
import { bernoulliMask, dropout } from '../operations/dropout.ts'
import { lstm } from '../operations/lstm.ts'
import { concat, slice } from '../operations/shape.ts'
import type { Parameter } from '../tensor.ts'
import { Tensor } from '../tensor.ts'
import { Initialiser, requireBoolean } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'
import {
  type CompleteCellOptions,
  cellOptionNames,
  completeCellOptions,
  createLSTMParameters,
  type LSTMCellOptions,
  type LSTMParameters,
  namedLSTMParameters,
  zoneoutMask,
} from './lstm-parameters.ts'
import type { LSTMState } from './state.ts'

export interface LSTMOptions extends LSTMCellOptions {
  /** L: each layer reads the output of the one before; default 1. */
  numLayers?: number
  /** A second direction that reads each sequence from its last valid step; default false. */
  bidirectional?: boolean
  /** Dropped, while training, from the output of every layer but the last; in [0, 1), default 0. */
  dropout?: number
  /**
   * Dropped, while training, from h[t-1] inside the gates (Gal & Ghahramani 2016): one mask for all the steps of a
   * sequence that a call of `forward` reads; in [0, 1), default 0.
   */
  recurrentDropout?: number
}

export interface LSTMForwardOptions {
  /** B counts of valid steps in [0, T]; default T. */
  lengths?: Int32Array
  /** Default zeros, as is null. */
  state?: LSTMState | null
}

type CompleteOptions = CompleteCellOptions & Required<Omit<LSTMOptions, keyof LSTMCellOptions>>

/**
 *     i, f, o = σ(W·x[t] + U·h[t-1] + b);   g = tanh(W·x[t] + U·h[t-1] + b)
 *     c[t] = f∘c[t-1] + i∘g;   h[t] = o∘tanh(c[t])
 *
 * with the options' additions written out at the operation `lstm`. Agrees with torch.nn.LSTM (batch_first) where that
 * has the option. Parameters are named as there: `weight_ih_l0` [4H, I], `weight_hh_l0` [4H, R], `bias_ih_l0` and
 * `bias_hh_l0` [4H], `weight_hr_l0` [P, H], with `_reverse` for the second direction, and our own `peephole_l0` [3, H],
 * `norm_ih_l0`, `norm_hh_l0` [4H], `norm_cell_l0` [2, H]. R is the projection size, or H without one.
 *
 * Zoneout outside training uses its expectation; dropout is inverted, so it needs nothing there.
 */
export class LSTM extends Layer {
  /** The parameters of layer k and direction d: `weights[k][d]`. */
  readonly weights: readonly (readonly LSTMParameters[])[]
  readonly #options: CompleteOptions

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LSTMOptions) {
    super()
    const own = ['numLayers', 'bidirectional', 'dropout', 'recurrentDropout']
    refuseUnknownOptions('LSTM', options, [...cellOptionNames, ...own])
    const cell = completeCellOptions('LSTM', options)
    const { numLayers = 1, bidirectional = false, dropout = 0, recurrentDropout = 0 } = options
    requireInteger('LSTM', 'numLayers', numLayers)
    requireBoolean('LSTM', 'bidirectional', bidirectional)
    requireNumber('LSTM', 'dropout', dropout, { low: 0, high: 1, open: true })
    requireNumber('LSTM', 'recurrentDropout', recurrentDropout, { low: 0, high: 1, open: true })
    this.#options = { ...cell, numLayers, bidirectional, dropout, recurrentDropout }

    const { inputSize, hiddenSize, projectionSize } = cell
    const directions = bidirectional ? 2 : 1
    const inner = directions * (projectionSize || hiddenSize)

    const initialiser = new Initialiser(cell)
    this.weights = Array.from({ length: numLayers }, (_, k) =>
      Array.from({ length: directions }, () =>
        createLSTMParameters(k === 0 ? inputSize : inner, cell, initialiser),
      ),
    )
  }

  /**
   * @param x [B, T, inputSize]
   * @returns output [B, T, D·R], zero at padded steps, and the state after each sequence's last valid step
   * @throws {RangeError} if a shape or a length does not fit
   */
  override forward(x: Tensor, options: LSTMForwardOptions = {}): { output: Tensor; state: LSTMState } {
    refuseUnknownOptions('LSTM.forward', options, ['lengths', 'state'])
    const { lengths } = options
    const { inputSize, bidirectional, dropout: dropped, numLayers } = this.#options
    if (x.shape.length !== 3 || x.shape[2] !== inputSize) {
      throw new RangeError(`LSTM.forward: expected x of shape [B, T, ${inputSize}], got [${x.shape}]`)
    }
    const D = bidirectional ? 2 : 1
    const state = this.#requireState(options.state, x.shape[0])
    const part = (whole: Tensor, k: number) =>
      numLayers === 1 ? whole : slice(whole, { start: k * D, end: (k + 1) * D })

    const h: Tensor[] = []
    const c: Tensor[] = []
    let output = x
    for (const [k, directions] of this.weights.entries()) {
      const h0 = state && part(state.h, k)
      const c0 = state && part(state.c, k)
      const result = lstm(output, { directions, h0, c0, lengths, ...this.#masks(output) })
      const isLast = k === numLayers - 1
      output = this.training && !isLast ? dropout(result.output, { probability: dropped }) : result.output
      h.push(result.hn)
      c.push(result.cn)
    }
    return { output, state: { h: concat(h), c: concat(c) } }
  }

  override *parameters(): Iterable<[name: string, parameter: Parameter]> {
    for (const [k, directions] of this.weights.entries()) {
      for (const [d, each] of directions.entries()) {
        yield* namedLSTMParameters(each, `_l${k}${d === 1 ? '_reverse' : ''}`)
      }
    }
  }

  override freeze(): readonly PlanStep[] {
    const {
      inputSize,
      hiddenSize: H,
      projectionSize: P,
      layerNorm,
      zoneoutCell,
      zoneoutHidden,
    } = this.#options
    return this.weights.map((directions, k) => ({
      kind: 'lstm',
      I: k === 0 ? inputSize : directions.length * (P || H),
      H,
      P,
      layerNorm,
      directions: directions.map((each, d) => ({ reverse: d === 1, parameters: arraysOf(each) })),
      zoneoutCell,
      zoneoutHidden,
      eps: 1e-5,
    }))
  }

  override config(): LayerConfig {
    return { type: 'LSTM', ...this.#options }
  }

  /** What one layer's call needs for recurrent dropout and zoneout, drawn anew in training. */
  #masks(x: Tensor) {
    const { hiddenSize: H, projectionSize: P, bidirectional, recurrentDropout } = this.#options
    const { zoneoutHidden, zoneoutCell } = this.#options
    const [B, T] = x.shape
    const D = bidirectional ? 2 : 1
    const R = P || H
    const like = x.array as FloatArray
    const kept = 1 - recurrentDropout
    const { training } = this
    return {
      recurrentMask:
        training && recurrentDropout > 0
          ? bernoulliMask(like, [D, B, R], { probability: kept, value: 1 / kept })
          : undefined,
      zoneoutHidden: zoneoutMask(like, [D, B, T, R], { probability: zoneoutHidden, training }),
      zoneoutCell: zoneoutMask(like, [D, B, T, H], { probability: zoneoutCell, training }),
    }
  }

  #requireState(state: LSTMState | null | undefined, B: number): LSTMState | undefined {
    if (state === null || state === undefined) return undefined
    const { hiddenSize: H, projectionSize: P, numLayers, bidirectional } = this.#options
    const first = numLayers * (bidirectional ? 2 : 1)
    for (const [name, each, size] of [['h', state.h, P || H] as const, ['c', state.c, H] as const]) {
      if (!(each instanceof Tensor))
        throw new TypeError(`LSTM.forward: expected state.${name} to be a Tensor`)
      if (String(each.shape) !== String([first, B, size])) {
        const got = `got [${each.shape}]`
        throw new RangeError(`LSTM.forward: expected state.${name} of shape [${[first, B, size]}], ${got}`)
      }
    }
    return state
  }
}

function arraysOf(parameters: LSTMParameters): LstmParameters {
  const present = Object.entries(parameters).filter(([, parameter]) => parameter !== undefined)
  return Object.fromEntries(present.map(([name, { array }]) => [name, array])) as unknown as LstmParameters
}
