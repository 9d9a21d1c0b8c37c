/**
 * Losses and metrics added up over batches. Everything is in plain numbers, so that a checkpoint can hold it.
 */
import type { Tensor } from '../tensor.ts'
import type { Contribution, MetricFunction, MetricOptions } from './metrics.ts'

export interface TotalsState {
  loss: Contribution
  metrics: Record<string, Contribution>
  /** Sequences. */
  samples: number
}

export class Totals {
  readonly #metrics: Record<string, MetricFunction>
  state: TotalsState = { loss: { sum: 0, weight: 0 }, metrics: {}, samples: 0 }

  constructor(metrics: Record<string, MetricFunction>) {
    this.#metrics = metrics
    for (const name of Object.keys(metrics)) this.state.metrics[name] = { sum: 0, weight: 0 }
  }

  /** @param weight what the batch's mean loss is a mean over */
  addLoss(loss: number, weight: number): void {
    this.state.loss.sum += loss * weight
    this.state.loss.weight += weight
  }

  /** @param result what the model made of a batch, and what its loss was told about it */
  addMetrics(
    { prediction, context }: { prediction: Tensor; context: MetricOptions | undefined },
    { y, weight }: { y: Tensor; weight: number },
  ): void {
    for (const [name, metric] of Object.entries(this.#metrics)) {
      const part =
        'measure' in metric
          ? metric.measure(prediction, y, context)
          : { sum: metric(prediction, y, context) * weight, weight }
      this.state.metrics[name].sum += part.sum
      this.state.metrics[name].weight += part.weight
    }
  }

  get loss(): number {
    return this.state.loss.sum / this.state.loss.weight
  }

  get metrics(): Record<string, number> {
    const finished = Object.entries(this.#metrics).map(([name, metric]) => {
      const total = this.state.metrics[name]
      return [name, 'finish' in metric ? metric.finish(total) : total.sum / total.weight]
    })
    return Object.fromEntries(finished)
  }
}
