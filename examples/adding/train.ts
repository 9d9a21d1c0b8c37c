/** Trains a network on the adding problem, on fresh sequences, none seen twice. */
import {
  adam,
  type Batch,
  cosine,
  evaluate,
  fit,
  Linear,
  LSTM,
  lastStep,
  meanSquaredError,
  Random,
  RNN,
  Sequential,
  within,
} from 'lstm-native'
import type { RecipeContext } from '../support/recipe.ts'
import { addingBatch, longest, testSize, tolerance } from './task.ts'

export type Kind = 'LSTM' | 'RNN'

const epochs = 12
const batchSize = 32
const hiddenSize = 64

export interface Run {
  kind: Kind
  model: Sequential
  length: number
  seed: number
  /** Mean squared error of each epoch. */
  losses: number[]
  /** Sequences seen. */
  learned: number
  /** Of `testSize` fresh sequences. */
  wrong: number
  seconds: number
}

/** The last step of a recurrent layer, and a line from it to the answer. */
export function adder(kind: Kind, length: number, seed: number): Sequential {
  // Forget gates that start out remembering for up to the whole sequence are what makes the LSTM quick.
  const chrono = { initialisation: 'chrono', chronoLength: longest(length) } as const
  const size = { inputSize: 2, hiddenSize, seed }
  return new Sequential([
    kind === 'LSTM' ? new LSTM({ ...size, ...chrono }) : new RNN(size),
    lastStep(),
    new Linear({ inputSize: hiddenSize, outputSize: 1, seed: seed + 1 }),
  ])
}

export async function trainAdder(
  kind: Kind,
  length: number,
  seed: number,
  { quick, log, signal }: RecipeContext,
): Promise<Run> {
  const began = performance.now()
  const batchesPerEpoch = quick ? 50 : 250
  const model = adder(kind, length, seed)
  const training = fit(model, ({ random }) => freshBatches(batchesPerEpoch, length, random), {
    loss: meanSquaredError,
    optimizer: adam({ learningRate: kind === 'LSTM' ? 5e-3 : 1e-3 }),
    schedule: cosine({ length: epochs * batchesPerEpoch }),
    clipNorm: 1,
    epochs,
    seed,
    signal,
  })
  const name = `${kind}, T = ${length}, seed ${seed}`
  const losses: number[] = []
  let learned = 0
  for await (const epoch of training) {
    learned += epoch.samples
    losses.push(epoch.loss)
    const rate = `${epoch.samplesPerSecond.toFixed(0)} sequences/s`
    log(`${name}  epoch ${epoch.number}/${epochs}  loss ${epoch.loss.toFixed(6)}  ${rate}`)
  }
  const wrong = await countWrong(model, length, seed)
  log(`${name}: ${wrong} of ${testSize} wrong`)
  return { kind, model, length, seed, losses, learned, wrong, seconds: (performance.now() - began) / 1000 }
}

function* freshBatches(count: number, length: number, random: Random): Generator<Batch> {
  for (let n = 0; n < count; n++) yield addingBatch(length, { size: batchSize, random })
}

async function countWrong(model: Sequential, length: number, seed: number): Promise<number> {
  // A stream of its own: no seed of a training run is negative.
  const test = addingBatch(length, { size: testSize, random: new Random(-seed - 1) })
  const correct = within({ tolerance })
  const { metrics } = await evaluate(model, test, { loss: meanSquaredError, metrics: { correct } })
  return Math.round((1 - metrics.correct) * testSize)
}
