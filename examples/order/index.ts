/** Learns temporal order (task.ts) and counts the fresh sequences it gets wrong: `npm run recipe -- order`. */
import {
  adam,
  type Batch,
  cosine,
  crossEntropy,
  fit,
  Linear,
  LSTM,
  lastStep,
  noGrad,
  Random,
  Sequential,
  softmax,
} from 'lstm-native'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { classes, longest, orderBatch, symbols, testSize, tolerance } from './task.ts'

export const recipe: Recipe = {
  name: 'order',
  title: 'Temporal order: which of eight orders three symbols came in',
  comparisons: [
    {
      name: 'LSTM of 1997, task 6b',
      value: '2 of 2,560 wrong, after 571,100 sequences',
      source: 'Hochreiter & Schmidhuber, Neural Computation 9(8), 1997, table 9',
    },
  ],
  files: [],
  seeds: [1, 2, 3],
  run,
}

const epochs = 10
const batchSize = 32

interface Run {
  seed: number
  wrong: number
  learned: number
  losses: number[]
}

async function run(context: RecipeContext): Promise<Outcome> {
  const runs: Run[] = []
  for (const seed of context.seeds) runs.push(await learn(seed, context))
  const worst = Math.max(...runs.map(({ wrong }) => wrong))
  return {
    figures: [
      {
        name: 'wrong, worst seed',
        value: (100 * worst) / testSize,
        unit: '%',
        // A guess is right for one in eight.
        atMost: context.quick ? undefined : 1,
      },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          'Three symbols, X or Y each, stand far apart among a, b, c and d; the network reads 100 to 110 symbols and says at ' +
            `the end which of the eight orders it was. Right is where every output is less than ${tolerance} off. No ` +
            'sequence is seen twice.',
        ],
      },
      {
        kind: 'lines',
        title: 'Cross-entropy by epoch',
        lines: runs.map(({ seed, losses }) => ({
          name: `seed ${seed}`,
          points: losses.map((y, i) => ({ x: i + 1, y })),
        })),
        x: { format: 'd', label: 'epoch' },
        y: { scale: 'log', label: 'nats' },
      },
      {
        kind: 'table',
        title: `Wrong of ${testSize} fresh sequences`,
        columns: ['seed', 'wrong', 'sequences learned from'],
        rows: runs.map(({ seed, wrong, learned }) => [
          String(seed),
          String(wrong),
          learned.toLocaleString('en-US'),
        ]),
      },
    ],
  }
}

async function learn(seed: number, { quick, signal, log }: RecipeContext): Promise<Run> {
  const batchesPerEpoch = quick ? 5 : 200
  const model = new Sequential([
    new LSTM({
      inputSize: symbols.length,
      hiddenSize: 32,
      initialisation: 'chrono',
      chronoLength: longest,
      seed,
    }),
    lastStep(),
    new Linear({ inputSize: 32, outputSize: classes, seed: seed + 1 }),
  ])
  const training = fit(model, ({ random }) => freshBatches(batchesPerEpoch, random), {
    loss: crossEntropy,
    optimizer: adam({ learningRate: 1e-2 }),
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
    log(`seed ${seed}  epoch ${epoch.number}/${epochs}  loss ${epoch.loss.toFixed(6)}`)
  }
  // A stream of its own: no seed of a training run is negative.
  const wrong = countWrong(model, orderBatch({ size: testSize, random: new Random(-seed - 1) }))
  log(`seed ${seed}: ${wrong} of ${testSize} wrong`)
  return { seed, wrong, learned, losses }
}

function* freshBatches(count: number, random: Random): Generator<Batch> {
  for (let n = 0; n < count; n++) yield orderBatch({ size: batchSize, random })
}

function countWrong(model: Sequential, { x, y, lengths }: Batch): number {
  const outputs = noGrad(() => softmax(model.forward(x, { lengths }))).toArray() as number[][]
  const isRight = (output: number[], target: number) =>
    output.every((value, i) => Math.abs(value - (i === target ? 1 : 0)) < tolerance)
  return outputs.filter((output, b) => !isRight(output, y.data[b])).length
}
