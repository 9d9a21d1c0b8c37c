/**
 * Reads handwritten digits row by row, with a small convolutional network before a bidirectional LSTM:
 * `npm run recipe -- digits`.
 */
import {
  accuracy,
  adam,
  cosine,
  crossEntropy,
  evaluate,
  fit,
  noGrad,
  type Sequential,
  type Tensor,
} from 'lstm-native'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { type Digits, readDigits } from './idx.ts'
import { digitsBatch, network, shiftedBatches } from './network.ts'
import { confusions, misread } from './report.ts'

const files = ['digits/t10k-images-idx3-ubyte.gz', 'digits/t10k-labels-idx1-ubyte.gz'] as const

export const recipe: Recipe = {
  name: 'digits',
  title: 'Handwritten digits, read row by row',
  comparisons: [
    {
      name: 'bidirectional LSTM of 128 units on the bare rows, with moved copies',
      value: '98.5 %',
      source: 'PyTorch, the same 9,000 and 1,000 images',
    },
  ],
  files,
  seeds: [1, 2, 3],
  run,
}

interface Run {
  seed: number
  /** Percent of the test images read rightly, after each epoch. */
  accuracies: number[]
  losses: number[]
  seconds: number
  read: Uint8Array
}

async function run(context: RecipeContext): Promise<Outcome> {
  const digits = readDigits(context.path(files[0]), context.path(files[1]))
  const { quick } = context
  const tested = digits.labels.length / (quick ? 5 : 10)
  const learned = digits.labels.length - tested
  const runs: Run[] = []
  for (const seed of context.seeds)
    runs.push(await train(digits, { seed, learned, epochs: quick ? 4 : 14, context }))
  const last = runs.map(({ accuracies }) => accuracies.at(-1)!)
  return {
    figures: [
      {
        name: `read rightly of ${tested}, worst seed`,
        value: Math.min(...last),
        unit: '%',
        atLeast: quick ? 75 : 98.3,
      },
      { name: 'mean over seeds', value: last.reduce((sum, each) => sum + each) / last.length, unit: '%' },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          `${learned} images of ${digits.rows} by ${digits.columns} pixels, moved by up to two pixels at random in every epoch. Two ` +
            'convolutions with batch normalisation and pools between them leave 14 rows of 168 features, which a bidirectional ' +
            'LSTM of 64 units reads from above and from below; its last states tell the digit.',
        ],
      },
      {
        kind: 'lines',
        title: `Read rightly of ${tested}, percent, by epoch`,
        lines: runs.map(({ seed, accuracies }) => ({
          name: `seed ${seed}`,
          points: accuracies.map((y, i) => ({ x: i + 1, y })),
        })),
        x: { format: 'd' },
      },
      confusions(digits, { first: learned, read: runs[0].read }),
      misread(digits, { first: learned, read: runs[0].read }),
    ],
  }
}

async function train(
  digits: Digits,
  {
    seed,
    learned,
    epochs,
    context,
  }: { seed: number; learned: number; epochs: number; context: RecipeContext },
): Promise<Run> {
  const model = network(digits, seed)
  const tested = digitsBatch(digits, learned, digits.labels.length - learned)
  // Little data need small batches, or there are too few updates.
  const batchSize = context.quick ? 20 : 64
  const length = epochs * Math.ceil(learned / batchSize)
  const result: Run = { seed, accuracies: [], losses: [], seconds: 0, read: new Uint8Array(0) }
  const options = { loss: crossEntropy, metrics: { accuracy } }
  for await (const epoch of fit(
    model,
    ({ random }) => shiftedBatches(digits, learned, { batchSize, random }),
    {
      ...options,
      epochs,
      seed,
      optimizer: adam({ learningRate: 0.003 }),
      schedule: cosine({ length }),
      clipNorm: 1,
      signal: context.signal,
    },
  )) {
    const { metrics } = await evaluate(model, tested, options)
    result.accuracies.push(100 * metrics.accuracy)
    result.losses.push(epoch.loss)
    result.seconds += epoch.seconds
    context.log(
      `seed ${seed}, epoch ${epoch.number}: loss ${epoch.loss.toFixed(4)}, ${(100 * metrics.accuracy).toFixed(1)} %`,
    )
  }
  return { ...result, read: readBy(model, tested.x) }
}

/** The most probable digit of each image. */
function readBy(model: Sequential, x: Tensor): Uint8Array {
  const data = noGrad(() => model.forward(x)).data as Float32Array
  return Uint8Array.from({ length: x.shape[0] }, (_, n) => {
    const logits = data.subarray(n * 10, (n + 1) * 10)
    return logits.indexOf(logits.reduce((most, each) => Math.max(most, each)))
  })
}
