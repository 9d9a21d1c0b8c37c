/** The network, and its training on strings that are drawn anew in each epoch. */
import {
  activation,
  adamW,
  batches,
  Conv1d,
  cosine,
  ctcLoss,
  Dropout,
  fit,
  Linear,
  LSTM,
  labelErrorRate,
  type Random,
  Sequential,
} from 'lstm-native'
import type { RecipeContext } from '../support/recipe.ts'
import type { Voices } from './recordings.ts'
import { bands, drawString, type Ear, stringSet } from './strings.ts'

export interface Size {
  hidden: number
  epochs: number
  /** Strings of an epoch. */
  strings: number
  batchSize: number
}

export interface Trained {
  model: Sequential
  losses: number[]
}

export async function train(
  voices: Voices,
  { ear, size, seed, context }: { ear: Ear; size: Size; seed: number; context: RecipeContext },
): Promise<Trained> {
  const { hidden, epochs, strings, batchSize } = size
  const model = new Sequential([
    // Takes three frames in one step, 30 ms: shorter sequences, and still several steps a digit.
    new Conv1d({
      inputChannels: bands,
      outputChannels: hidden,
      kernelSize: 5,
      stride: 3,
      padding: 'same',
      seed,
    }),
    activation('relu'),
    new LSTM({ inputSize: hidden, hiddenSize: hidden, bidirectional: true, seed: seed + 1 }),
    new Dropout({ probability: 0.3 }),
    new Linear({ inputSize: 2 * hidden, outputSize: 11, seed: seed + 2 }),
  ])
  const draw = (random: Random) =>
    stringSet(
      Array.from({ length: strings }, () => drawString(voices, random)),
      ear,
    )
  const training = fit(model, ({ random }) => batches(draw(random), { batchSize, random }), {
    loss: ctcLoss,
    optimizer: adamW({ learningRate: 4e-3, weightDecay: 1e-3 }),
    schedule: cosine({ length: epochs * Math.ceil(strings / batchSize) }),
    clipNorm: 1,
    epochs,
    metrics: { errors: labelErrorRate() },
    signal: context.signal,
    seed,
  })
  const losses: number[] = []
  for await (const { number, loss, metrics, seconds } of training) {
    losses.push(loss)
    const errors = `${(100 * metrics.errors).toFixed(1)} % of the digits wrong`
    context.log(`seed ${seed}, epoch ${number}: loss ${loss.toFixed(3)}, ${errors}, ${seconds.toFixed(1)} s`)
  }
  return { model, losses }
}
