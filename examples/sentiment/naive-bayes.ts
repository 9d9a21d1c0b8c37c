/** What counting words alone achieves: the baseline that the networks are compared with on the same folds. */
import type { DataSet, Fold } from 'lstm-native'

/**
 * Multinomial naive Bayes over the words that a sentence has (Wang & Manning 2012): Σ ln p(word | fresh) - ln p(word | rotten), with
 * one added to every count.
 *
 * @returns the log-odds of the sentences to test
 */
export function naiveBayes(data: DataSet, { train, test }: Fold, words: number): Float64Array {
  const counts = [new Float64Array(words).fill(1), new Float64Array(words).fill(1)]
  for (const index of train) {
    const { present, label } = sentence(data, index)
    for (const word of present) counts[label][word]++
  }
  const [rotten, fresh] = counts.map((each) => each.reduce((sum, count) => sum + count, 0))
  return Float64Array.from(test, (index) => {
    let odds = 0
    for (const word of sentence(data, index).present)
      odds += Math.log(counts[1][word] / fresh) - Math.log(counts[0][word] / rotten)
    return odds
  })
}

function sentence(data: DataSet, index: number): { present: ReadonlySet<number>; label: number } {
  const { x, y } = data.batch([index])
  return { present: new Set(x.data), label: y.item() }
}
