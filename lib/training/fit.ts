/**
 * `fit`: the training loop. What one batch does stands in learner.ts, what a run leaves on disk in resume.ts.
 */
import { type Model, tensorsOf } from '../layers/layer.ts'
import { ambientRandom, hash, Random } from '../random.ts'
import { type Data, type Source, sourceOf } from './batching.ts'
import { EarlyStopping } from './early-stopping.ts'
import type { Epoch } from './epoch.ts'
import { type Evaluation, evaluateSource } from './evaluate.ts'
import { Learner } from './learner.ts'
import { type CheckedOptions, checkOptions, type FitOptions } from './options.ts'
import { Pace } from './pace.ts'
import { readRun, writeRun } from './resume.ts'
import { beginSchedule, type RunningSchedule } from './schedules.ts'
import { Totals } from './totals.ts'

/**
 * Trains a model, an epoch at a time:
 *
 *     for await (const epoch of fit(model, train, { loss: meanSquaredError, epochs: 20, validation, clipNorm: 1 }))
 *       console.log(epoch.number, epoch.loss, epoch.validationLoss)
 *
 * Other events get their turn every few batches, and between batches the model is in the mode it was in
 * before, so that the process can go on answering with it. Leaving the loop ends training.
 *
 * @throws {NonFiniteLossError} while iterating, if a loss or gradient is not finite; the parameters are those
 *   before the update
 * @throws {TypeError | RangeError} at once for options, while iterating for data and shapes that do not fit,
 *   naming the batch
 * @throws {FileFormatError} while iterating, if a checkpoint cannot be written or resumed from
 * @throws the signal's reason while iterating, after an abort; the parameters are those of the last update
 */
export function fit(model: Model, data: Data, options: FitOptions): AsyncGenerator<Epoch, void, void> {
  return new Run(model, data, checkOptions(options)).epochs()
}

class Run {
  readonly #model: Model
  readonly #options: CheckedOptions
  readonly #source: Source
  readonly #validation: Source | undefined
  readonly #schedule: RunningSchedule
  readonly #learner: Learner
  readonly #stopping: EarlyStopping | undefined
  readonly #pace: Pace
  readonly #random: Random
  #seed: number
  #totals: Totals
  /** Epochs completed, and batches done in the one under way. */
  #epoch = 0
  #batch = 0
  #stopped = false
  /** The update after which the last checkpoint was written. */
  #savedStep = 0
  /**
   * When this process began, and the batches it has done since: the pace that the time left is estimated
   * from.
   */
  #began = 0
  #batchesDone = 0

  constructor(model: Model, data: Data, options: CheckedOptions) {
    const { batchSize, shuffle, validation, earlyStopping, epochs } = options
    this.#model = model
    this.#options = options
    this.#source = sourceOf('fit', data, { batchSize, shuffle })
    this.#validation = validation && sourceOf('fit: validation', validation, { batchSize, shuffle: false })
    this.#schedule = beginSchedule(options.schedule)
    const steps = this.#stepsOfRun()
    // Written out, not spread, for the reason given at `Rule.update` in optimizers.ts.
    this.#learner = new Learner(model, options, ({ base, step }) =>
      this.#schedule.rate({ base, step, epoch: this.#epoch, epochs, steps }),
    )
    this.#stopping = earlyStopping && new EarlyStopping(earlyStopping, tensorsOf(model))
    this.#pace = new Pace(options.signal)
    this.#seed = options.seed ?? ambientRandom().uint32()
    this.#random = new Random(hash(this.#seed, 0))
    this.#totals = new Totals(options.metrics)
  }

  async *epochs(): AsyncGenerator<Epoch, void, void> {
    const { resume } = this.#options
    this.#began = performance.now()
    try {
      if (resume !== undefined) await this.#resume(resume)
      if (this.#isOver) this.#stopping?.restore()
      while (!this.#isOver) {
        const epoch = await this.#runEpoch()
        await this.#saveAfterEpoch()
        if (this.#isOver) this.#stopping?.restore()
        yield epoch
      }
    } finally {
      this.#learner.optimizer.zeroGrad()
    }
  }

  get #isOver(): boolean {
    return this.#stopped || this.#epoch >= this.#options.epochs
  }

  async #runEpoch(): Promise<Epoch> {
    const began = performance.now()
    const number = this.#epoch + 1
    const known = this.#totals.state.samples
    await this.#learnEpoch(number, { began, known })
    const seconds = (performance.now() - began) / 1000
    const validated = await this.#validate()
    const { samples } = this.#totals.state
    const epoch: Epoch = {
      number,
      epochs: this.#options.epochs,
      loss: this.#totals.loss,
      metrics: this.#totals.metrics,
      ...(validated && { validationLoss: validated.loss, validationMetrics: validated.metrics }),
      learningRate: this.#learner.optimizer.learningRate,
      step: this.#learner.step,
      samples,
      seconds: (performance.now() - began) / 1000,
      samplesPerSecond: (samples - known) / seconds,
      stopped: false,
    }
    this.#schedule.endEpoch?.(epoch.validationLoss ?? epoch.loss)
    if (this.#stopping) {
      const { improved, stop } = this.#stopping.endEpoch(epoch)
      Object.assign(epoch, { improved, stopped: stop })
    }
    this.#totals = new Totals(this.#options.metrics)
    this.#epoch = number
    this.#batch = 0
    this.#stopped = epoch.stopped
    return epoch
  }

  async #learnEpoch(number: number, { began, known }: { began: number; known: number }): Promise<void> {
    const totals = this.#totals
    const context = { random: this.#random, totals, pace: this.#pace }
    const epochStart = { number, random: new Random(hash(this.#seed, number)) }
    let batch = 0
    for await (const item of this.#pace.each(this.#source.open(epochStart))) {
      // A resumed epoch goes on where its checkpoint was written; the batches before are only counted.
      if (++batch <= this.#batch) continue
      await this.#pace.breathe()
      const before = { ...totals.state.loss }
      await this.#learner.learn(`fit: batch ${batch} of epoch ${number}`, item, context)
      this.#batch = batch
      this.#batchesDone++
      const weight = totals.state.loss.weight - before.weight
      const loss = weight === 0 ? 0 : (totals.state.loss.sum - before.sum) / weight
      this.#report({
        number,
        loss,
        rate: ((totals.state.samples - known) * 1000) / (performance.now() - began),
      })
      await this.#saveAfterStep()
    }
    this.#learner.endEpoch()
    if (totals.state.loss.weight > 0) return
    throw new RangeError(
      `fit: the data gave nothing to learn from in epoch ${number}; if they are a generator, which can be ` +
        'iterated only once, pass the function that makes it',
    )
  }

  async #validate(): Promise<Evaluation | undefined> {
    if (!this.#validation) return undefined
    const { loss, metrics } = this.#options
    const options = { place: 'fit: validation', loss, metrics, pace: this.#pace }
    const validated = await evaluateSource(this.#model, this.#validation, options)
    if (!Number.isFinite(validated.loss)) this.#learner.refuse(validated.loss)
    return validated
  }

  #report({ number, loss, rate }: { number: number; loss: number; rate: number }): void {
    const { onBatch, epochs } = this.#options
    if (!onBatch) return
    const batches = this.#source.count
    const left = batches && epochs * batches - (this.#epoch * batches + this.#batch)
    const secondsPerBatch = (performance.now() - this.#began) / 1000 / this.#batchesDone
    onBatch({
      epoch: number,
      epochs,
      batch: this.#batch,
      batches,
      step: this.#learner.step,
      loss,
      meanLoss: this.#totals.loss,
      learningRate: this.#learner.optimizer.learningRate,
      gradientNorm: this.#learner.gradientNorm,
      samplesPerSecond: rate,
      secondsLeft: left === undefined ? undefined : left * secondsPerBatch,
    })
  }

  /** Updates of the whole run, where the batches are known beforehand and not cut into windows. */
  #stepsOfRun(): number | undefined {
    const { epochs, accumulate, truncate } = this.#options
    const { count } = this.#source
    return count === undefined || truncate !== undefined ? undefined : epochs * Math.ceil(count / accumulate)
  }

  async #saveAfterEpoch(): Promise<void> {
    const { checkpoint } = this.#options
    if (!checkpoint) return
    const isDue = checkpoint.unit === 'epoch' && this.#epoch % checkpoint.every === 0
    if (isDue || this.#isOver) await this.#save(checkpoint.path)
  }

  async #saveAfterStep(): Promise<void> {
    const { checkpoint } = this.#options
    const { step, isPending } = this.#learner
    if (checkpoint?.unit !== 'step' || isPending) return
    if (step - this.#savedStep >= checkpoint.every) await this.#save(checkpoint.path)
  }

  async #save(path: string): Promise<void> {
    const { step } = this.#learner
    this.#learner.requireFinite()
    this.#savedStep = step
    await writeRun(path, {
      model: this.#model,
      run: {
        seed: this.#seed,
        random: this.#random.state,
        epoch: this.#epoch,
        batch: this.#batch,
        step,
        batchSize: this.#options.batchSize,
        totals: this.#totals.state,
        stopped: this.#stopped,
      },
      carried: this.#learner.state,
      parts: { optimizer: this.#learner.optimizer, schedule: this.#schedule, stopping: this.#stopping },
    })
  }

  async #resume(path: string): Promise<void> {
    const parts = { optimizer: this.#learner.optimizer, schedule: this.#schedule, stopping: this.#stopping }
    const { seed, batchSize } = this.#options
    const { run, carried } = await readRun(path, { model: this.#model, parts, seed, batchSize })
    this.#seed = run.seed
    this.#random.state = run.random
    this.#totals.state = run.totals
    this.#epoch = run.epoch
    this.#batch = run.batch
    this.#stopped = run.stopped
    this.#learner.step = run.step
    this.#learner.state = carried
    this.#savedStep = run.step
  }
}
