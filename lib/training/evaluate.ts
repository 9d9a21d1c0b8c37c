/** Loss and metrics of a model on data it does not learn from. */
import { refuseUnknownOptions, requireInteger } from '../errors.ts'
import { inMode, type Model, type State } from '../layers/layer.ts'
import { detachState } from '../layers/state.ts'
import type { Loss } from '../operations/losses.ts'
import { Random } from '../random.ts'
import { noGrad, recycle } from '../tape.ts'
import { type Data, makeBatch, type Source, sourceOf } from './batching.ts'
import type { MetricFunction } from './metrics.ts'
import { Pace } from './pace.ts'
import { forwardPart, namingBatch, wholePart } from './step.ts'
import { Totals } from './totals.ts'

export interface EvaluateOptions {
  loss: Loss
  metrics?: Record<string, MetricFunction>
  /** Sequences in a batch; default 32. It decides the speed, not the result. */
  batchSize?: number
  signal?: AbortSignal
}

export interface Evaluation {
  loss: number
  metrics: Record<string, number>
  /** Sequences. */
  samples: number
}

/**
 * The mean loss and the metrics over all of `data`, in evaluation mode and without gradients. A function of
 * data is called with epoch 0 and a stream of seed 0: fresh in every call, the same each time.
 */
export async function evaluate(model: Model, data: Data, options: EvaluateOptions): Promise<Evaluation> {
  refuseUnknownOptions('evaluate', options, ['loss', 'metrics', 'batchSize', 'signal'])
  const { loss, metrics = {}, batchSize = 32, signal } = options
  if (typeof loss !== 'function')
    throw new TypeError('evaluate: expected loss to be a function such as meanSquaredError')
  requireInteger('evaluate', 'batchSize', batchSize)
  const source = sourceOf('evaluate', data, { batchSize, shuffle: false })
  return evaluateSource(model, source, { place: 'evaluate', loss, metrics, pace: new Pace(signal) })
}

/** `evaluate` for data that have been looked at already; `fit` uses it for its validation set. */
export async function evaluateSource(
  model: Model,
  source: Source,
  {
    place,
    loss,
    metrics,
    pace,
  }: { place: string; loss: Loss; metrics: Record<string, MetricFunction>; pace: Pace },
): Promise<Evaluation> {
  const totals = new Totals(metrics)
  let number = 0
  let state: State
  for await (const item of pace.each(source.open({ number: 0, random: new Random(0) }))) {
    await pace.breathe()
    number++
    const batch = `${place}: batch ${number}`
    const measure = () => {
      const part = wholePart(model, makeBatch(batch, item))
      if (part.weight === 0) return
      const result = namingBatch(batch, part, () => forwardPart(model, part, { loss, state }))
      state = part.continues === undefined ? undefined : detachState(result.state)
      totals.addLoss(result.loss.item(), part.weight)
      totals.addMetrics(result, part)
      totals.state.samples += part.samples
    }
    inMode(model, { training: false }, () => noGrad(() => recycle(measure)))
  }
  if (number === 0) throw new RangeError(`${place}: the data hold no batch`)
  return { loss: totals.loss, metrics: totals.metrics, samples: totals.state.samples }
}
