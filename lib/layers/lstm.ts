/** LSTM: layers and directions of long short-term memory (Hochreiter & Schmidhuber 1997) with every option. */
import { refuseUnknownOptions } from '../errors.ts'
import type { FloatArray, LstmParameters, LstmVariant, PlanStep } from '../kernels/contract.ts'
import { type MaskedSteps, maskedSteps } from '../kernels/masked-steps.ts'
import { requireLengths, requireMask } from '../operations/common.ts'
import { bernoulliMask, dropout } from '../operations/dropout.ts'
import { type LstmWeights, lstm } from '../operations/lstm.ts'
import { lstmVariant } from '../operations/lstm-variant.ts'
import { restoreSteps, takeSteps } from '../operations/masked-steps.ts'
import { mergeDirections, sideBySide } from '../operations/merge-directions.ts'
import { concat, slice } from '../operations/shape.ts'
import type { Parameter } from '../tensor.ts'
import { Tensor } from '../tensor.ts'
import { Initialiser } from './initialisation.ts'
import { Layer, type LayerConfig } from './layer.ts'
import { type CompleteOptions, completeOptions, type LSTMOptions } from './lstm-options.ts'
import {
  createLSTMParameters,
  type LSTMParameters,
  namedLSTMParameters,
  zoneoutMask,
} from './lstm-parameters.ts'
import type { LSTMState } from './state.ts'

export type { LSTMOptions }

export interface LSTMForwardOptions {
  /** B counts of valid steps in [0, T]; default T. */
  lengths?: Int32Array
  /**
   * B·T bytes: a step with 0 leaves h and c as they are, and its output repeats that of the step read before it (zeros if
   * there is none) or is zero, as `zeroMasked` says. Default: every step within `lengths` counts.
   */
  mask?: Uint8Array
  /** Default zeros, as is null. */
  state?: LSTMState | null
}

/**
 *     i, f, o = σ(W·x[t] + U·h[t-1] + b);   g = tanh(W·x[t] + U·h[t-1] + b)
 *     c[t] = f∘c[t-1] + i∘g;   h[t] = o∘tanh(c[t])
 *
 * with the options' additions written out at the operation `lstm`. Agrees with torch.nn.LSTM (batch_first) where that
 * has the option. Parameters are named as there: `weight_ih_l0` [4H, I], `weight_hh_l0` [4H, R], `bias_ih_l0` and
 * `bias_hh_l0` [4H], `weight_hr_l0` [P, H], with `_reverse` for the second direction, and our own `peephole_l0` [3, H],
 * `norm_ih_l0`, `norm_hh_l0` [4H], `norm_cell_l0` [2, H]. R is the projection size, or H without one.
 *
 * With `gateActivation`, `cellActivation`, `outputActivation`, `clip` and `coupledInputForget` it is the cell of Keras and of
 * ONNX's LSTM operator, whose numbers agree.
 *
 * Zoneout outside training uses its expectation; dropout, of weights too, is inverted, so it needs nothing there.
 */
export class LSTM extends Layer {
  /** The parameters of layer k and direction d: `weights[k][d]`. */
  readonly weights: readonly (readonly LSTMParameters[])[]
  readonly #options: CompleteOptions
  readonly #variants: readonly LstmVariant[] | undefined

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LSTMOptions) {
    super()
    this.#options = completeOptions(options)
    const { inputSize, bidirectional, numLayers } = this.#options
    const directions = bidirectional ? 2 : 1
    const variant = lstmVariant(this.#options)
    this.#variants = variant && Array.from({ length: directions }, () => variant)

    const initialiser = new Initialiser(this.#options)
    this.weights = Array.from({ length: numLayers }, (_, k) =>
      Array.from({ length: directions }, () =>
        createLSTMParameters(k === 0 ? inputSize : this.#features, this.#options, initialiser),
      ),
    )
  }

  /**
   * @param x [B, T, inputSize]
   * @returns output [B, T, D·R], or [B, T, R] with another `merge` than 'concat', zero at padded steps; without
   *   `returnSequences` the final h of each direction, merged likewise, without T; and the state after each sequence's
   *   last valid step
   * @throws {RangeError} if a shape, a length or a mask does not fit
   */
  override forward(x: Tensor, options: LSTMForwardOptions = {}): { output: Tensor; state: LSTMState } {
    refuseUnknownOptions('LSTM.forward', options, ['lengths', 'mask', 'state'])
    const { mask, lengths } = options
    const { inputSize, numLayers, returnSequences, reverse, merge } = this.#options
    const between = { probability: this.#options.dropout, acrossTime: this.#options.dropoutAcrossTime }
    if (x.shape.length !== 3 || x.shape[2] !== inputSize) {
      throw new RangeError(`LSTM.forward: expected x of shape [B, T, ${inputSize}], got [${x.shape}]`)
    }
    const D = this.#directions
    const state = this.#requireState(options.state, x.shape[0])
    const part = (whole: Tensor, k: number) =>
      numLayers === 1 ? whole : slice(whole, { start: k * D, end: (k + 1) * D })
    const steps = mask && x.size > 0 ? this.#steps(x, mask, lengths) : undefined

    const h: Tensor[] = []
    const c: Tensor[] = []
    let output = steps ? takeSteps(x, steps) : x
    for (const [k, directions] of this.weights.entries()) {
      const result = lstm(output, {
        directions: this.training ? directions.map((each) => this.#dropWeights(each)) : directions,
        reverse,
        variants: this.#variants,
        h0: state && part(state.h, k),
        c0: state && part(state.c, k),
        lengths: steps ? steps.counts : lengths,
        ...this.#masks(output),
      })
      h.push(result.hn)
      c.push(result.cn)
      output = result.output
      if (k === numLayers - 1) break
      output = mergeDirections(output, merge)
      if (this.training) output = dropout(output, between)
    }
    if (!returnSequences) output = sideBySide(h[numLayers - 1])
    else if (steps) output = this.#restore(output, steps, lengths)
    return { output: mergeDirections(output, merge), state: { h: concat(h), c: concat(c) } }
  }

  /** Steps that did not count still do not; without `returnSequences` there are none left. */
  override computeMask(_x: Tensor, mask?: Uint8Array): Uint8Array | undefined {
    return this.#options.returnSequences ? mask : undefined
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
      numLayers,
      reverse,
      merge,
      returnSequences,
      zeroMasked,
    } = this.#options
    return this.weights.map((directions, k) => ({
      kind: 'lstm',
      I: k === 0 ? inputSize : this.#features,
      H,
      P,
      layerNorm,
      directions: directions.map((each, d) => ({
        reverse: reverse || d === 1,
        variant: this.#variants?.[d],
        parameters: arraysOf(each),
      })),
      merge,
      returnSequences: returnSequences || k < numLayers - 1,
      zeroMasked,
      zoneoutCell,
      zoneoutHidden,
      eps: 1e-5,
    }))
  }

  override config(): LayerConfig {
    return { type: 'LSTM', ...this.#options }
  }

  get #directions(): number {
    return this.#options.bidirectional ? 2 : 1
  }

  /** Of what a layer gives to the next. */
  get #features(): number {
    const { hiddenSize, projectionSize, merge } = this.#options
    return (merge === 'concat' ? this.#directions : 1) * (projectionSize || hiddenSize)
  }

  #steps({ shape: [B, T] }: Tensor, mask: Uint8Array, lengths?: Int32Array): MaskedSteps {
    requireMask('LSTM.forward', mask, { B, T })
    if (lengths) requireLengths('LSTM.forward', lengths, { B, T })
    return maskedSteps(mask, { B, T, lengths })
  }

  #restore(output: Tensor, steps: MaskedSteps, lengths?: Int32Array): Tensor {
    const { bidirectional, reverse, zeroMasked } = this.#options
    return restoreSteps(output, steps, {
      reverse: bidirectional ? [false, true] : [reverse],
      zeroMasked,
      lengths,
    })
  }

  /** The weights of a call in training: those of the recurrence with some set to 0. Gradients go to the ones they are made of. */
  #dropWeights(weights: LSTMParameters): LstmWeights {
    const { weightDrop: probability } = this.#options
    return probability === 0 ? weights : { ...weights, weightHh: dropout(weights.weightHh, { probability }) }
  }

  /** What one layer's call needs for recurrent dropout and zoneout, drawn anew in training. */
  #masks(x: Tensor) {
    const { hiddenSize: H, projectionSize: P, recurrentDropout } = this.#options
    const { zoneoutHidden, zoneoutCell } = this.#options
    const [B, T] = x.shape
    const D = this.#directions
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
    const { hiddenSize: H, projectionSize: P, numLayers } = this.#options
    const first = numLayers * this.#directions
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
