/** Trains a network on the adding problem, on fresh sequences, none seen twice. */
import {
  adam,
  type Batch,
  cosine,
  fit,
  Linear,
  LSTM,
  lastStep,
  meanSquaredError,
  type Random,
  Sequential,
} from 'lstm-native'
import type { RecipeContext } from '../support/recipe.ts'
import { addingBatch, longest } from './task.ts'

const epochs = 12
const batchSize = 32

export interface Run {
  model: Sequential
  length: number
  seed: number
  /** Mean squared error of each epoch. */
  losses: number[]
  /** Sequences seen. */
  learned: number
  seconds: number
}

export async function trainAdder(
  length: number,
  seed: number,
  { quick, log, signal }: RecipeContext,
): Promise<Run> {
  const began = performance.now()
  const batchesPerEpoch = quick ? 50 : 250
  const model = new Sequential([
    // Forget gates that start out remembering for up to the whole sequence are what makes this quick.
    new LSTM({ inputSize: 2, hiddenSize: 64, initialisation: 'chrono', chronoLength: longest(length), seed }),
    lastStep(),
    new Linear({ inputSize: 64, outputSize: 1, seed: seed + 1 }),
  ])
  const training = fit(model, ({ random }) => freshBatches(batchesPerEpoch, length, random), {
    loss: meanSquaredError,
    optimizer: adam({ learningRate: 5e-3 }),
    schedule: cosine({ length: epochs * batchesPerEpoch }),
    clipNorm: 1,
    epochs,
    seed,
    signal,
  })
  const losses: number[] = []
  let learned = 0
  for await (const epoch of training) {
    learned += epoch.samples
    losses.push(epoch.loss)
    const rate = `${epoch.samplesPerSecond.toFixed(0)} sequences/s`
    log(
      `T = ${length}, seed ${seed}  epoch ${epoch.number}/${epochs}  loss ${epoch.loss.toFixed(6)}  ${rate}`,
    )
  }
  return { model, length, seed, losses, learned, seconds: (performance.now() - began) / 1000 }
}

function* freshBatches(count: number, length: number, random: Random): Generator<Batch> {
  for (let n = 0; n < count; n++) yield addingBatch(length, { size: batchSize, random })
}
