/**
 * Forecasts seven variables of a transformer a day ahead, each as a series of its own for one network: means, and quantiles
 * whose band is checked. `npm run recipe -- ett`.
 */
import { type Evaluation, type HeadName, trainForecaster } from 'lstm-native/forecast'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { file, type Parts, readTransformer, variables } from './data.ts'
import { picturesOf } from './pictures.ts'

const horizon = 24
const month = 30 * 24
/** 12, 4 and 4 months, as in the papers. */
const months: Parts = { training: 12 * month, validation: 4 * month, test: 4 * month }
const days: Parts = { training: 30 * 24, validation: 10 * 24, test: 10 * 24 }

export const recipe: Recipe = {
  name: 'ett',
  title: 'Load and temperature of a transformer, a day ahead',
  comparisons: [
    {
      name: 'LSTMa, ETTh1, multivariate, horizon 24',
      value: 'MSE 0.650',
      source: 'Zhou et al., Informer, AAAI 2021, table 2',
    },
    { name: 'Informer', value: 'MSE 0.577', source: 'the same' },
    {
      name: 'an LSTM of one layer in PyTorch, differences to the last value',
      value: 'MSE 0.392',
      source: 'measured on the same parts',
    },
    { name: 'persistence, seasonal naive', value: 'in the table of errors', source: 'computed in this run' },
  ],
  files: [file],
  seeds: [1, 2, 3],
  run,
}

/** Trains one network on all variables. @returns its evaluations on the test part, by variable */
async function evaluationsOf(
  context: RecipeContext,
  { head, seed }: { head: HeadName; seed: number },
): Promise<Evaluation[]> {
  const { quick, signal, log } = context
  const parts = quick ? days : months
  const { evaluations, bestEpoch } = await trainForecaster(await readTransformer(context.path(file), parts), {
    horizon,
    input: 48,
    head,
    quantiles: [0.1, 0.5, 0.9],
    // The same hour of the day before: what is learnt is how this day differs.
    difference: 24,
    periods: [24],
    hidden: quick ? 16 : 32,
    epochs: quick ? 2 : 8,
    // Windows of three hours after one another teach the same.
    stride: 3,
    batchSize: quick ? 32 : 64,
    learningRate: 0.001,
    validation: parts.validation,
    test: parts.test,
    seed,
    signal,
    onEpoch: ({ number, validationLoss }) =>
      log(`${head}, seed ${seed}, epoch ${number}: validation ${validationLoss?.toFixed(4)}`),
  })
  log(`${head}, seed ${seed}: MSE ${squareError(evaluations).toFixed(4)}, kept epoch ${bestEpoch}`)
  return evaluations
}

/** The mean over the variables of the squared error, of the model (0) or a baseline. */
function squareError(evaluations: readonly Evaluation[], which = 0): number {
  return evaluations.reduce((sum, { scores }) => sum + scores[which].rmse ** 2, 0) / evaluations.length
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick } = context
  const { seeds } = context
  const means: Evaluation[][] = []
  const bands: Evaluation[][] = []
  for (const seed of seeds) {
    means.push(await evaluationsOf(context, { head: 'mean', seed }))
    bands.push(await evaluationsOf(context, { head: 'quantiles', seed }))
  }
  const errors = means.map((each) => squareError(each))
  const shares = bands.map((each) => each.reduce((sum, { scores }) => sum + 100 * scores[0].coverage!, 0) / 7)
  const [, persistence, naive] = means[0][0].scores.map((_, i) => squareError(means[0], i))
  return {
    figures: [
      { name: 'MSE, worst seed', value: Math.max(...errors), atMost: quick ? 1.2 : 0.38, digits: 3 },
      {
        name: 'inside the 80 % band, lowest',
        value: Math.min(...shares),
        unit: '%',
        atLeast: quick ? 40 : 74,
        digits: 1,
      },
      {
        name: 'inside the 80 % band, highest',
        value: Math.max(...shares),
        unit: '%',
        atMost: quick ? 99 : 86,
        digits: 1,
      },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          'One network learns all seven variables, each a series of its own that the network sees 48 hours of, with the hour ' +
            'and the weekday. It forecasts the next 24 hours as differences to the day before. Values are standardised by the ' +
            'twelve months it is trained on; four months choose the epoch, four are held out. The mean is trained by the ' +
            'squared error, the band by the quantile loss.',
        ],
      },
      ...picturesOf(bands[0]),
      {
        kind: 'table',
        title: 'Mean squared error, standardised',
        columns: ['forecast', ...variables, 'mean'],
        rows: [
          ...means.map((each, i): [string, Evaluation[], number] => [`LSTM, seed ${seeds[i]}`, each, 0]),
          ['seasonal naive, 24 hours', means[0], 2] as [string, Evaluation[], number],
          ['persistence', means[0], 1] as [string, Evaluation[], number],
        ].map(([name, each, which]) => [
          name,
          ...each.map(({ scores }) => (scores[which].rmse ** 2).toFixed(3)),
          squareError(each, which).toFixed(3),
        ]),
        note: `Seasonal naive over all variables: ${naive.toFixed(3)}; persistence: ${persistence.toFixed(3)}.`,
      },
      {
        kind: 'table',
        title: 'The band from the 10 % to the 90 % quantile',
        columns: ['inside, %', ...variables, 'mean'],
        rows: bands.map((each, i) => [
          `seed ${seeds[i]}`,
          ...each.map(({ scores }) => (100 * scores[0].coverage!).toFixed(1)),
          shares[i].toFixed(1),
        ]),
      },
    ],
  }
}
