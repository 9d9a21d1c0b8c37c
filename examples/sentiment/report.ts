/** What the report shows: the folds, and ten sentences with the words that decided. */
import type { Section } from 'lstm-native/report'
import type { Sentences } from './data.ts'
import type { Example, FoldResult } from './fold.ts'

export function sectionsOf(results: readonly FoldResult[], sentences: Sentences): Section[] {
  return [
    {
      kind: 'text',
      paragraphs: [
        `${sentences.texts.length.toLocaleString('en-US')} sentences of film reviews, as many fresh as rotten, in ` +
          'stratified folds: each sentence is judged once, by networks that have not seen it. A tenth of the rest is set aside ' +
          'and chooses the epoch; the sentences to test choose nothing, and their words are not in the vocabulary unless others ' +
          'have them.',
        'The networks of a fold are alike but for their seeds. Their log-odds are averaged: that is the first figure. The second ' +
          'is what they achieve one by one.',
      ],
    },
    markedSentences(results.flatMap(({ examples }) => examples).slice(0, 10)),
    {
      kind: 'table',
      title: 'Right, in %',
      columns: ['fold', 'together', 'one alone', 'naive Bayes', 'sentences'],
      rows: results.map(({ right, alone, bayes, tested }, i) => [
        String(i + 1),
        right.toFixed(2),
        (alone.reduce((sum, each) => sum + each, 0) / alone.length).toFixed(2),
        bayes.toFixed(2),
        String(tested),
      ]),
    },
  ]
}

function markedSentences(examples: readonly Example[]): Section {
  const verdict = (isFresh: boolean) => (isFresh ? 'fresh' : 'rotten')
  return {
    kind: 'markedText',
    title: 'Which words decided',
    texts: examples.map(({ text, label, odds, added }) => {
      const largest = Math.max(...added.map(Math.abs))
      const sure = 100 / (1 + Math.exp(-Math.abs(odds)))
      return {
        label: `${verdict(label === 1)}, judged ${verdict(odds > 0)} (${sure.toFixed(0)} %)`,
        words: text.split(/\s+/u).map((word, t) => ({ text: word, weight: added[t] / largest })),
      }
    }),
    note:
      'Ten of the sentences, each judged by the networks of the fold that tests it. A word is marked by what it added to the ' +
      'log-odds, for fresh or against it, beside no words at all: integrated gradients through the word vectors, averaged over the ' +
      'networks, the strongest word of each sentence in full colour.',
  }
}
