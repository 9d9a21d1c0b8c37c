/** Trains a network to predict the next symbol of embedded Reber strings, and counts the strings it masters. */
import {
  adamW,
  cosine,
  crossEntropy,
  type DataSet,
  dataSet,
  fit,
  Linear,
  LSTM,
  noGrad,
  Random,
  Sequential,
} from 'lstm-native'
import type { RecipeContext } from '../support/recipe.ts'
import { type ReberString, reberStrings, symbols } from './grammar.ts'

const hiddenSize = 32
const epochs = 200
const batchSize = 16

export interface Run {
  seed: number
  /** Strings with a symbol predicted wrongly, of each set. */
  wrong: { training: number; test: number }
  /** Cross-entropy of each epoch. */
  losses: number[]
}

export async function learnGrammar(seed: number, { quick, signal, log }: RecipeContext): Promise<Run> {
  const size = quick ? 64 : 256
  const random = new Random(seed)
  const training = reberStrings(size, random)
  const test = reberStrings(size, random, training)
  const model = new Sequential([
    // Forget gates that remember for some 30 steps carry the second symbol through a string; without the dropout one seed
    // in five gets a rare string wrong.
    new LSTM({
      inputSize: symbols.length,
      hiddenSize,
      initialisation: 'chrono',
      chronoLength: 30,
      recurrentDropout: 0.1,
      seed,
    }),
    new Linear({ inputSize: hiddenSize, outputSize: symbols.length, seed: seed + 1 }),
  ])
  const run = fit(model, predictionsOf(training), {
    loss: crossEntropy,
    optimizer: adamW({ learningRate: 0.01, weightDecay: 0.1 }),
    schedule: cosine({ length: (epochs * size) / batchSize }),
    clipNorm: 1,
    batchSize,
    epochs,
    seed,
    signal,
  })
  const losses: number[] = []
  for await (const { loss } of run) losses.push(loss)
  const wrong = { training: countWrong(model, training), test: countWrong(model, test) }
  log(`seed ${seed}: loss ${losses.at(-1)!.toFixed(4)}, wrong strings ${wrong.training} + ${wrong.test}`)
  return { seed, wrong, losses }
}

/** x: each symbol but the last, one-hot; y: the symbol after it. */
function predictionsOf(strings: readonly ReberString[]): DataSet {
  const indices = strings.map((string) => string.symbols.map((symbol) => symbols.indexOf(symbol)))
  return dataSet(
    {
      x: indices.map((each) =>
        each.slice(0, -1).map((index) => symbols.map((_, i) => (i === index ? 1 : 0))),
      ),
      y: indices.map((each) => each.slice(1)),
    },
    { yType: 'int32' },
  )
}

/**
 * How many strings have a symbol that is not predicted: after it, some symbol that may follow has no larger output than one
 * that may not.
 */
export function countWrong(model: Sequential, strings: readonly ReberString[]): number {
  const data = predictionsOf(strings)
  const { x, lengths } = data.batch(strings.map((_, i) => i))
  const output = noGrad(() => model.forward(x, { lengths })).toArray() as number[][][]
  const isPredicted = (outputs: readonly number[], may: ReberString['successors'][number]) => {
    const of = (legal: boolean) => outputs.filter((_, i) => may.includes(symbols[i]) === legal)
    return Math.min(...of(true)) > Math.max(...of(false))
  }
  return strings.filter(({ successors }, b) => !successors.every((may, t) => isPredicted(output[b][t], may)))
    .length
}
