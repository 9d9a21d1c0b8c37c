/** One fold: networks are trained, judge the sentences they have not seen, and say which words decided. */
import type { Fold, Sequential } from 'lstm-native'
import { wordVocabulary } from 'lstm-native/text'
import type { RecipeContext } from '../support/recipe.ts'
import { encode, type Sentences } from './data.ts'
import { judgements, type Size, train, wordsOf } from './model.ts'
import { naiveBayes } from './naive-bayes.ts'

const full = { embedding: 50, hidden: 32, epochs: 5, batchSize: 64, learningRate: 2e-3, networks: 4 }
const small = {
  embedding: 50,
  hidden: 16,
  epochs: 8,
  batchSize: 32,
  learningRate: 1e-2,
  networks: 1,
}

export interface FoldResult {
  tested: number
  /** Percentages of the networks together, of each alone, and of naive Bayes. */
  right: number
  alone: readonly number[]
  bayes: number
  examples: readonly Example[]
}

/** A sentence, and what each of its words added to the log-odds. */
export interface Example {
  text: string
  label: number
  odds: number
  added: Float64Array
}

/** @param places in the sentences to test, of those that are shown */
export async function runFold(
  sentences: Sentences,
  fold: Fold,
  { quick, signal, log, seed, places }: RecipeContext & { seed: number; places: readonly number[] },
): Promise<FoldResult> {
  const { texts, labels } = sentences
  // A word that only sentences not learned from have is unknown, as it would be in use.
  const known = Array.from(fold.train, (index) => texts[index])
  const vocabulary = wordVocabulary(known, { specials: { start: undefined, end: undefined } })
  const data = encode(sentences, vocabulary)
  const size: Size = { words: vocabulary.size, ...(quick ? small : full) }
  const models: Sequential[] = []
  for (let n = 0; n < size.networks; n++)
    models.push(await train(data, fold, { size, seed: seed + 10 * n, signal, log }))

  const { test } = fold
  const percent = (odds: Float64Array) =>
    (100 * odds.filter((each, n) => each > 0 === (labels[test[n]] === 1)).length) / test.length
  const odds = judgements(models, data, test)
  return {
    tested: test.length,
    right: percent(odds),
    alone: models.map((model) => percent(judgements([model], data, test))),
    bayes: percent(naiveBayes(data, fold, vocabulary.size)),
    examples: places.map((place) => ({
      text: texts[test[place]].trim(),
      label: labels[test[place]],
      odds: odds[place],
      added: wordsOf(models, data, test[place]),
    })),
  }
}
