/** Learns the embedded Reber grammar (grammar.ts): `npm run recipe -- reber`. */
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { learnGrammar, type Run } from './train.ts'

export const recipe: Recipe = {
  name: 'reber',
  title: 'The embedded Reber grammar: a symbol remembered through a random string',
  comparisons: [
    {
      name: 'LSTM of 1997',
      value: '97 to 100 % of trials succeed, after 8,440 to 39,740 strings',
      source: 'Hochreiter & Schmidhuber, Neural Computation 9(8), 1997, table 1',
    },
    { name: 'Elman network', value: 'no trial succeeds', source: 'the same, after Cleeremans et al. (1989)' },
    {
      name: 'Real-time recurrent learning',
      value: 'some trials succeed, after 25,000 strings',
      source: 'the same, after Smith & Zipser (1989)',
    },
  ],
  files: [],
  seeds: Array.from({ length: 30 }, (_, i) => i + 1),
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { seeds } = context
  const runs: Run[] = []
  for (const seed of seeds) runs.push(await learnGrammar(seed, context))
  const mastered = runs.filter(({ wrong }) => wrong.training + wrong.test === 0)
  return {
    figures: [
      {
        name: `seeds of ${seeds.length} that predict every symbol of training and test strings`,
        value: mastered.length,
        atLeast: context.quick ? undefined : seeds.length - 1,
        digits: 0,
      },
      {
        name: 'wrong strings of the training sets, all seeds',
        value: runs.reduce((sum, { wrong }) => sum + wrong.training, 0),
        atMost: context.quick ? 8 : undefined,
        digits: 0,
      },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          'A string is B, then T or P, then a walk through a graph of forks, then the same T or P, then E. The network reads ' +
            'a symbol and says which may follow: right is where every symbol that may has a larger output than every one ' +
            'that may not. No string comes twice, and none is in both sets.',
        ],
      },
      {
        kind: 'lines',
        title: 'Cross-entropy by epoch, five seeds',
        lines: runs.slice(0, 5).map(({ seed, losses }) => ({
          name: `seed ${seed}`,
          points: losses.map((y, i) => ({ x: i + 1, y })),
        })),
        x: { format: 'd', label: 'epoch' },
        y: { label: 'nats a symbol' },
        caption: 'Where two symbols may follow, no network can do better than ln 2 for that step.',
      },
      {
        kind: 'table',
        title: 'Each seed',
        columns: ['seed', 'training strings wrong', 'test strings wrong', 'last loss'],
        rows: runs.map(({ seed, wrong, losses }) => [
          String(seed),
          String(wrong.training),
          String(wrong.test),
          losses.at(-1)!.toFixed(4),
        ]),
      },
    ],
  }
}
