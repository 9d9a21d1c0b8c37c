/**
 * Learns the adding problem (task.ts) at long lags and counts the fresh sequences it gets wrong, with an Elman network
 * beside it: `npm run recipe -- adding --lengths 100 --seeds 1,2,3`.
 */
import { integersOption } from '../support/options.ts'
import type { Figure, Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { reportOf } from './report.ts'
import { testSize } from './task.ts'
import { type Kind, type Run, trainAdder } from './train.ts'

const source = 'Hochreiter & Schmidhuber, Neural Computation 9(8), 1997, table 7'

export const recipe: Recipe = {
  name: 'adding',
  title: 'The adding problem: two numbers across up to a thousand steps',
  comparisons: [
    { name: 'LSTM of 1997, T = 100', value: '1 of 2,560 wrong, after 74,000 sequences', source },
    { name: 'LSTM of 1997, T = 500', value: '0 of 2,560 wrong, after 209,000 sequences', source },
    { name: 'LSTM of 1997, T = 1000', value: '1 of 2,560 wrong, after 853,000 sequences', source },
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

/** The nominal length at which the Elman network is tried. */
const elmanLength = 100

async function run(context: RecipeContext): Promise<Outcome> {
  const lengths = context.quick ? [20] : integersOption(context.options, 'lengths', 20)
  const tried: [Kind, number][] = [
    ...lengths.map((length): [Kind, number] => ['LSTM', length]),
    ...lengths.filter((length) => length === elmanLength).map((length): [Kind, number] => ['RNN', length]),
  ]
  const runs: Run[] = []
  for (const [kind, length] of tried)
    for (const seed of context.seeds) runs.push(await trainAdder(kind, length, seed, context))
  const share = (kind: Kind, length: number, of: (...counts: number[]) => number) =>
    (100 *
      of(...runs.filter((run) => run.kind === kind && run.length === length).map(({ wrong }) => wrong))) /
    testSize
  const figures = tried.map(
    ([kind, length]): Figure =>
      kind === 'LSTM'
        ? {
            name: `LSTM, T = ${length}: wrong, worst seed`,
            value: share(kind, length, Math.max),
            unit: '%',
            atMost: context.quick ? 50 : 1,
          }
        : {
            name: `Elman network, T = ${length}: wrong, best seed`,
            value: share(kind, length, Math.min),
            unit: '%',
            // It fails: beyond this, a fifth of the sequences would have to be right.
            atLeast: 80,
          },
  )
  return { figures, report: reportOf(runs, context.quick ? 20 : elmanLength) }
}
