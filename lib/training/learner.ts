/**
 * From batches to updates: forward, backward, accumulation, clipping and the optimizer, with nothing left
 * half done.
 */
import { NonFiniteLossError, requireNumber } from '../errors.ts'
import { inMode, type Model, parametersOf, type State, tensorsOf } from '../layers/layer.ts'
import { detachState } from '../layers/state.ts'
import { type Random, withRandom } from '../random.ts'
import { recycle } from '../tape.ts'
import type { Parameter } from '../tensor.ts'
import { type MakeBatch, makeBatch } from './batching.ts'
import { clipByValue, clipFactor, gradientNorm, largestGradient } from './clipping.ts'
import type { Batch } from './dataset.ts'
import { adam, type Optimizer } from './optimizers.ts'
import type { CheckedOptions } from './options.ts'
import type { Pace } from './pace.ts'
import { forwardPart, namingBatch, type Part, wholePart, windowParts } from './step.ts'
import type { Totals } from './totals.ts'

/** Gradients that wait for the batches that share an update with them. */
interface Pending {
  parts: number
  /** Of the first part: the gradients are kept in its terms, so that a part alone is not scaled. */
  firstWeight: number
  weight: number
}

const nothing: Pending = { parts: 0, firstWeight: 1, weight: 0 }

export class Learner {
  readonly parameters: ReadonlyMap<string, Parameter>
  readonly optimizer: Optimizer
  /** Updates made. */
  step = 0
  /** Before clipping, at the last update. */
  gradientNorm = 0
  readonly #model: Model
  readonly #options: CheckedOptions
  readonly #rate: (position: { step: number; base: number }) => number
  readonly #base: number
  #pending = nothing
  #state: State
  #lastLoss = Number.NaN

  /** @param rate the learning rate of an update, from those made before and the optimizer's own rate */
  constructor(
    model: Model,
    options: CheckedOptions,
    rate: (position: { step: number; base: number }) => number,
  ) {
    const { optimizer = adam() } = options
    this.#model = model
    this.#options = options
    this.#rate = rate
    this.#base = optimizer.learningRate
    this.parameters = parametersOf(model)
    this.optimizer = optimizer.bind(this.parameters)
  }

  /** Whether gradients wait for further batches. */
  get isPending(): boolean {
    return this.#pending.parts > 0
  }

  /**
   * Learns from one batch. Whoever `pace` lets in between its windows finds a model without a half-made
   * update.
   */
  async learn(
    place: string,
    item: Batch | MakeBatch,
    { random, totals, pace }: { random: Random; totals: Totals; pace: Pace },
  ): Promise<void> {
    const { truncate } = this.#options
    if (truncate === undefined) {
      this.#learnPart(place, () => wholePart(this.#model, makeBatch(place, item)), { random, totals })
      return
    }
    const batch = makeBatch(place, item)
    for (const window of windowParts(place, batch, { model: this.#model, truncate })) {
      await pace.breathe()
      this.#learnPart(place, window, { random, totals })
    }
    if (batch.continues === undefined) this.#state = undefined
  }

  /** Makes the update that is still waiting for batches, and forgets the state, at the end of an epoch. */
  endEpoch(): void {
    if (this.isPending) this.#update()
    this.#state = undefined
  }

  /** What the next batch goes on from, if it continues the last one. */
  get state(): State {
    return this.#state
  }

  set state(state: State) {
    this.#state = state
  }

  /** Throws the error that ends training. Gradients are those of the last backward pass. */
  refuse(loss: number): never {
    throw new NonFiniteLossError({
      step: this.step + 1,
      loss,
      largestGradient: largestGradient(this.parameters),
    })
  }

  /**
   * Throws the same error if a parameter or a running statistic is no longer finite, before such a model takes the place of a good
   * one in a file.
   */
  requireFinite(): void {
    for (const { array } of tensorsOf(this.#model).values()) {
      for (const value of array) if (!Number.isFinite(value)) this.refuse(this.#lastLoss)
    }
  }

  /** Learns from a part, and keeps the state for the one that continues it, without its history. */
  #learnPart(
    place: string,
    makePart: () => Part,
    { random, totals }: { random: Random; totals: Totals },
  ): void {
    const learn = () => {
      const part = makePart()
      totals.state.samples += part.samples
      if (part.weight === 0) return
      const { loss } = this.#options
      const state = this.#state
      const result = namingBatch(place, part, () => forwardPart(this.#model, part, { loss, state }))
      const value = result.loss.item()
      namingBatch(place, part, () => totals.addMetrics(result, part))
      totals.addLoss(value, part.weight)
      if (!this.isPending) {
        this.optimizer.zeroGrad()
        this.#pending = { ...nothing, firstWeight: part.weight }
      }
      result.loss.backward(Float64Array.of(part.weight / this.#pending.firstWeight))
      if (!Number.isFinite(value)) this.refuse(value)
      this.#pending.parts++
      this.#pending.weight += part.weight
      this.#lastLoss = value
      this.#state = part.continues === undefined ? undefined : detachState(result.state)
      if (this.#pending.parts === this.#options.accumulate) this.#update()
    }
    inMode(this.#model, { training: true }, () => withRandom(random, () => recycle(learn)))
  }

  #update(): void {
    const { clipValue, clipNorm } = this.#options
    const { firstWeight, weight } = this.#pending
    this.#pending = nothing
    let gradientScale = firstWeight / weight
    let norm = gradientNorm(this.parameters) * gradientScale
    if (!Number.isFinite(norm)) this.refuse(this.#lastLoss)
    this.gradientNorm = norm
    if (clipValue !== undefined) {
      clipByValue(this.parameters, { maximum: clipValue, gradientScale })
      if (clipNorm !== undefined) norm = gradientNorm(this.parameters) * gradientScale
    }
    if (clipNorm !== undefined) gradientScale *= clipFactor(norm, clipNorm)
    const rate = this.#rate({ step: this.step, base: this.#base })
    requireNumber('fit', "the schedule's learning rate", rate, { low: 0 })
    this.optimizer.learningRate = rate
    this.optimizer.step({ gradientScale })
    this.step++
  }
}
