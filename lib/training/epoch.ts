/** What training reports: after each epoch, and after each batch to whoever asks. */

export interface Epoch {
  /** From 1. */
  number: number
  /** Epochs of the whole run. */
  epochs: number
  /** The mean loss over the epoch's batches, each as it was before its update. */
  loss: number
  /** The mean loss over the validation set after the epoch, in evaluation mode. */
  validationLoss?: number
  /** The metrics over the epoch's batches, before their updates. */
  metrics: Record<string, number>
  validationMetrics?: Record<string, number>
  /** Of the epoch's last update. */
  learningRate: number
  /** Updates since training began. */
  step: number
  /** Sequences in the epoch. */
  samples: number
  /** Duration of the epoch with its validation. */
  seconds: number
  /** Sequences learned a second, validation left out. */
  samplesPerSecond: number
  /** With early stopping: whether this epoch is the best so far. */
  improved?: boolean
  /** Whether early stopping ends training here. */
  stopped: boolean
}

export interface BatchProgress {
  /** From 1. */
  epoch: number
  epochs: number
  /** From 1, in the epoch. */
  batch: number
  /** Batches of an epoch, if known. */
  batches?: number
  /** Updates since training began. */
  step: number
  /** Of this batch. */
  loss: number
  /** The mean over the epoch so far. */
  meanLoss: number
  learningRate: number
  /** √Σ g² before clipping, at the last update. */
  gradientNorm: number
  /** Sequences learned a second, in this epoch so far. */
  samplesPerSecond: number
  /** Until the last epoch ends, from the pace so far; undefined where the number of batches is not known. */
  secondsLeft?: number
}
