/** LSTMCell: one step of an LSTM, for loops written by hand. Whole windows are the business of `LSTM`. */
import { refuseUnknownOptions } from '../errors.ts'
import type { FloatArray, LstmVariant, PlanStep } from '../kernels/contract.ts'
import { lstm } from '../operations/lstm.ts'
import { lstmVariant } from '../operations/lstm-variant.ts'
import { reshape } from '../operations/shape.ts'
import type { Parameter, Tensor } from '../tensor.ts'
import { Initialiser } from './initialisation.ts'
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

/**
 * The step of `LSTM`, with parameters named as in torch.nn.LSTMCell: `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`,
 * and `weight_hr`, `peephole`, `norm_ih`, `norm_hh`, `norm_cell` where the options ask for them.
 */
export class LSTMCell extends Layer {
  readonly weights: LSTMParameters
  readonly #options: CompleteCellOptions
  readonly #variants: readonly [LstmVariant] | undefined

  /** @throws {TypeError | RangeError} if an option is unknown or out of range */
  constructor(options: LSTMCellOptions) {
    super()
    refuseUnknownOptions('LSTMCell', options, cellOptionNames)
    this.#options = completeCellOptions('LSTMCell', options)
    const variant = lstmVariant(this.#options)
    this.#variants = variant && [variant]
    this.weights = createLSTMParameters(options.inputSize, this.#options, new Initialiser(this.#options))
  }

  /**
   * @param x [B, inputSize]
   * @param options.state h [B, R] and c [B, H]; default zeros, as is null
   * @returns output [B, R], which is the new h, and the new state
   * @throws {RangeError} if a shape does not fit
   */
  override forward(
    x: Tensor,
    options: { state?: LSTMState | null } = {},
  ): { output: Tensor; state: LSTMState } {
    refuseUnknownOptions('LSTMCell.forward', options, ['state'])
    const { inputSize: I, hiddenSize: H, projectionSize: P, zoneoutHidden, zoneoutCell } = this.#options
    if (x.shape.length !== 2 || x.shape[1] !== I) {
      throw new RangeError(`LSTMCell.forward: expected x of shape [B, ${I}], got [${x.shape}]`)
    }
    const [B] = x.shape
    const R = P || H
    const like = x.array as FloatArray
    const { state } = options
    const { training } = this
    const { hn, cn } = lstm(reshape(x, [B, 1, I]), {
      directions: [this.weights],
      variants: this.#variants,
      h0: state ? reshape(state.h, [1, B, R]) : undefined,
      c0: state ? reshape(state.c, [1, B, H]) : undefined,
      zoneoutHidden: zoneoutMask(like, [1, B, 1, R], { probability: zoneoutHidden, training }),
      zoneoutCell: zoneoutMask(like, [1, B, 1, H], { probability: zoneoutCell, training }),
    })
    const output = reshape(hn, [B, R])
    return { output, state: { h: output, c: reshape(cn, [B, H]) } }
  }

  override parameters(): Iterable<[name: string, parameter: Parameter]> {
    return namedLSTMParameters(this.weights, '')
  }

  /** @throws {TypeError} always: it takes a step [B, inputSize], a plan sequences */
  override freeze(): readonly PlanStep[] {
    throw new TypeError(
      'compile: an LSTMCell has no frozen form, for it takes one step; load its parameters into an LSTM, whose plan has ' +
        'streams, or call its forward inside noGrad',
    )
  }

  override config(): LayerConfig {
    return { type: 'LSTMCell', ...this.#options }
  }
}
