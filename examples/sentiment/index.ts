/**
 * Tells from one sentence of a review whether the film is recommended, with word vectors that start at random, in ten-fold cross
 * validation; and shows which words decided: `npm run recipe -- sentiment`.
 */
import { kFold } from 'lstm-native'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { readSentences } from './data.ts'
import { type FoldResult, runFold } from './fold.ts'
import { sectionsOf } from './report.ts'

const files = { negative: 'sentiment/rt-polarity.neg', positive: 'sentiment/rt-polarity.pos' }

export const recipe: Recipe = {
  name: 'sentiment',
  title: 'Sentiment of film reviews, a sentence at a time',
  comparisons: [
    {
      name: 'convolutional network, random word vectors (CNN-rand), ten-fold',
      value: '76.1 %',
      source: 'Kim, Convolutional neural networks for sentence classification, EMNLP 2014, table 2',
    },
    {
      name: 'a bidirectional LSTM in PyTorch, random word vectors',
      value: '75.0 and 77.5 %',
      source: 'measured once, on two of ten folds',
    },
  ],
  files: Object.values(files),
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, seeds } = context
  const sentences = readSentences({
    negative: context.path(files.negative),
    positive: context.path(files.positive),
  })
  const { texts, labels } = sentences
  const results: FoldResult[] = []
  for (const seed of seeds) {
    const folds = kFold(texts.length, { k: quick ? 3 : 10, seed, labels, validation: 0.1 })
    for (const [i, fold] of folds.entries()) {
      const name = `seed ${seed}, fold ${i + 1}/${folds.length}`
      const log = (line: string) => context.log(`${name}: ${line}`)
      // Ten sentences in all, at equal distances in the file, are shown: nobody has chosen them.
      const shown = Array.from({ length: 10 }, (_, n) => n).filter((n) => n % folds.length === i)
      const places = shown.map((n) => Math.floor(((n + 0.5) * fold.test.length) / 10))
      const result = await runFold(sentences, fold, {
        ...context,
        log,
        seed: 10_000 * seed + 100 * i,
        places,
      })
      log(
        `${result.right.toFixed(2)} % right, alone ${result.alone.map((each) => each.toFixed(2)).join(', ')}`,
      )
      results.push(result)
    }
  }
  const together = mean(results.map(({ right }) => right))
  const alone = mean(results.flatMap((each) => each.alone))
  const bayes = mean(results.map((each) => each.bayes))
  return {
    figures: [
      { name: 'right, mean of the folds', value: together, unit: '%', atLeast: quick ? 80 : 76.5 },
      { name: 'right, each network alone', value: alone, unit: '%' },
      { name: 'right, naive Bayes on the same folds', value: bayes, unit: '%' },
    ],
    report: sectionsOf(results, sentences),
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length
}
