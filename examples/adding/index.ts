/**
 * Learns the adding problem (task.ts) at long lags and counts the fresh sequences it gets wrong:
 * `npm run recipe -- adding --lengths 100 --seeds 1,2,3`.
 */
import { evaluate, meanSquaredError, Random, within } from 'lstm-native'
import { integersOption } from '../support/options.ts'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { addingBatch, testSize, tolerance } from './task.ts'
import { type Run, trainAdder } from './train.ts'

export const recipe: Recipe = {
  name: 'adding',
  title: 'The adding problem: two numbers across up to a thousand steps',
  comparisons: [
    {
      name: 'LSTM of 1997, T = 100',
      value: '1 of 2,560 wrong, after 74,000 sequences',
      source: 'Hochreiter & Schmidhuber, Neural Computation 9(8), 1997, table 7',
    },
    {
      name: 'LSTM of 1997, T = 500',
      value: '0 of 2,560 wrong, after 209,000 sequences',
      source: 'the same',
    },
    {
      name: 'LSTM of 1997, T = 1000',
      value: '1 of 2,560 wrong, after 853,000 sequences',
      source: 'the same',
    },
  ],
  files: [],
  options: {
    lengths: {
      type: 'string',
      default: '100,500,1000',
      description: 'nominal sequence lengths, at least 20 each',
    },
  },
  seeds: [1, 2, 3],
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const lengths = context.quick ? [20] : integersOption(context.options, 'lengths', 20)
  const seeds = context.quick ? context.seeds.slice(0, 1) : context.seeds
  const runs: (Run & { wrong: number })[] = []
  for (const length of lengths)
    for (const seed of seeds) {
      const trained = await trainAdder(length, seed, context)
      runs.push({ ...trained, wrong: await countWrong(trained, length, seed) })
      context.log(`T = ${length}, seed ${seed}: ${runs.at(-1)!.wrong} of ${testSize} wrong`)
    }
  return {
    figures: lengths.map((length) => {
      const worst = Math.max(...runs.filter((each) => each.length === length).map(({ wrong }) => wrong))
      return {
        name: `LSTM, T = ${length}: wrong, worst seed`,
        value: (100 * worst) / testSize,
        unit: '%',
        atMost: context.quick ? 50 : 1,
      }
    }),
    report: [
      {
        kind: 'text',
        paragraphs: [
          'A sequence of pairs, a number from [-1, 1] and a marker; two of the pairs are marked, one of the first ten and one ' +
            `of the first half. At the end the network says half of one plus a quarter of the sum of the two marked numbers. ` +
            `Right is what is less than ${tolerance} off. No sequence is seen twice.`,
        ],
      },
      {
        kind: 'lines',
        title: 'Mean squared error by epoch',
        lines: runs.map(({ length, seed, losses }) => ({
          name: `T = ${length}, seed ${seed}`,
          points: losses.map((y, i) => ({ x: i + 1, y })),
        })),
        x: { format: 'd' },
        y: { scale: 'log' },
      },
      {
        kind: 'table',
        title: `Wrong of ${testSize} fresh sequences`,
        columns: ['run', 'wrong', 'sequences learned from', 'seconds'],
        rows: runs.map(({ length, seed, wrong, learned, seconds }) => [
          `T = ${length}, seed ${seed}`,
          String(wrong),
          learned.toLocaleString('en-US'),
          seconds.toFixed(1),
        ]),
      },
    ],
  }
}

async function countWrong({ model }: Run, length: number, seed: number): Promise<number> {
  // A stream of its own: no seed of a training run is negative.
  const test = addingBatch(length, { size: testSize, random: new Random(-seed - 1) })
  const correct = within({ tolerance })
  const { metrics } = await evaluate(model, test, { loss: meanSquaredError, metrics: { correct } })
  return Math.round((1 - metrics.correct) * testSize)
}
