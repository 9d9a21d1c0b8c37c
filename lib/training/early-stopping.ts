/** Early stopping: watches one number after each epoch and keeps the weights of the best. */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import type { Epoch } from './epoch.ts'

export interface EarlyStoppingOptions {
  /** Epochs without improvement after which training ends; default 10. */
  patience?: number
  /** An epoch counts as better if it is lower by more than this; default 0. */
  minDelta?: number
  /**
   * What is watched, lower being better; default the validation loss, or the training loss without a
   * validation set.
   */
  monitor?: (epoch: Epoch) => number
}

export interface EarlyStoppingState {
  best: number | null
  bestEpoch: number
  waited: number
}

export class EarlyStopping {
  readonly #patience: number
  readonly #minDelta: number
  readonly #monitor: (epoch: Epoch) => number
  readonly #tensors: ReadonlyMap<string, Tensor>
  #state: EarlyStoppingState = { best: null, bestEpoch: 0, waited: 0 }
  readonly #weights = new Map<string, FloatArray>()

  /** @param tensors what is kept of the best epoch: parameters and buffers */
  constructor(options: EarlyStoppingOptions, tensors: ReadonlyMap<string, Tensor>) {
    refuseUnknownOptions('earlyStopping', options, ['patience', 'minDelta', 'monitor'])
    const {
      patience = 10,
      minDelta = 0,
      monitor = ({ validationLoss, loss }) => validationLoss ?? loss,
    } = options
    requireInteger('earlyStopping', 'patience', patience)
    requireNumber('earlyStopping', 'minDelta', minDelta, { low: 0 })
    this.#patience = patience
    this.#minDelta = minDelta
    this.#monitor = monitor
    this.#tensors = tensors
  }

  get state(): EarlyStoppingState {
    return { ...this.#state }
  }

  /** The best weights, and running statistics, under their names; empty before the first epoch ends. */
  get weights(): ReadonlyMap<string, FloatArray> {
    return this.#weights
  }

  /** Goes on from what a checkpoint holds. */
  resume(state: EarlyStoppingState, weights: ReadonlyMap<string, FloatArray>): void {
    this.#state = { ...state }
    for (const [name, array] of weights) this.#weights.set(name, array.slice())
  }

  /** Takes an epoch into account. @returns whether it was the best so far, and whether training should end */
  endEpoch(epoch: Epoch): { improved: boolean; stop: boolean } {
    const value = this.#monitor(epoch)
    if (typeof value !== 'number' || Number.isNaN(value)) {
      throw new TypeError(
        `earlyStopping: expected monitor to return a number for epoch ${epoch.number}, got ${value}`,
      )
    }
    const { best, waited } = this.#state
    if (best !== null && value >= best - this.#minDelta) {
      this.#state.waited = waited + 1
      return { improved: false, stop: this.#state.waited >= this.#patience }
    }
    this.#state = { best: value, bestEpoch: epoch.number, waited: 0 }
    for (const [name, tensor] of this.#tensors) {
      const array = tensor.array as FloatArray
      const kept = this.#weights.get(name)
      if (kept) kept.set(array)
      else this.#weights.set(name, array.slice())
    }
    return { improved: true, stop: false }
  }

  /** Puts the best weights back into the parameters. */
  restore(): void {
    for (const [name, kept] of this.#weights) this.#tensors.get(name)!.write(kept)
  }
}
