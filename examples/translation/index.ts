/**
 * Translates captions from German to English with an encoder-decoder of LSTMs with attention and input feeding:
 * `npm run recipe -- translation`.
 */
import { corpusBleu } from 'lstm-native'
import { integerOption, OptionError } from '../support/options.ts'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { files, makeVocabularies, readPairs } from './data.ts'
import { curve, examples } from './report.ts'
import { train } from './train.ts'
import { translate } from './translate.ts'

export const recipe: Recipe = {
  name: 'translation',
  title: 'German to English: captions of pictures, by an encoder-decoder with attention',
  comparisons: [
    {
      name: 'what an LSTM with attention reaches here',
      value: 'about 30 BLEU and more',
      source: 'Multi30k, German to English, test 2016 (Elliott et al. 2016)',
    },
    {
      name: 'PyTorch, the same network of 7.7 million parameters: an epoch',
      value: '168 s',
      source: 'measured on two threads of an AMD EPYC (Zen 4), where this recipe takes 104 to 118 s',
    },
  ],
  files,
  options: {
    beams: { type: 'string', default: '5', description: 'sequences that the search carries on at a time' },
    checkpoint: { type: 'string', description: 'a file to go on from, and to write after every epoch' },
  },
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, options, seeds, log } = context
  const beams = integerOption(options, 'beams')
  if (seeds.length > 1) throw new OptionError(`--seeds: translation trains once, got ${seeds.length} seeds`)
  const [learned, validation, test] = ['train', 'val', 'test_2016_flickr'].map((name) =>
    readPairs(name, context.path),
  )
  const vocabularies = makeVocabularies(learned, quick ? 1 : 2)
  log(
    `${learned.source.length} pairs; ${vocabularies.source.size} German and ${vocabularies.target.size} English words`,
  )
  const checkpoint = options.checkpoint === undefined ? undefined : String(options.checkpoint)
  const data = { train: learned, validation, vocabularies }
  const training = await train(data, { seed: seeds[0], checkpoint, context })

  const began = performance.now()
  const translations = await translate(training.model, vocabularies, test.source, beams)
  const seconds = (performance.now() - began) / 1000
  const bleu = corpusBleu(translations, test.target)
  const precisions = bleu.precisions.map((p) => p.toFixed(1)).join(' / ')
  log(
    `${test.source.length} sentences in ${seconds.toFixed(1)} s: BLEU ${bleu.score.toFixed(2)}, ${precisions}`,
  )
  return {
    figures: [
      {
        name: 'BLEU, test 2016 (flickr)',
        value: bleu.score,
        atLeast: quick ? 80 : 31,
      },
      { name: 'training', value: training.minutes, unit: 'min', atMost: 60, digits: 1 },
      {
        name: `translating, ${beams} beams, a sentence`,
        value: (1000 * seconds) / test.source.length,
        unit: 'ms',
        digits: 1,
      },
    ],
    report: [
      {
        kind: 'text',
        paragraphs: [
          `Precisions of 1 to 4 words: ${precisions}; brevity penalty ${bleu.brevityPenalty.toFixed(3)}. BLEU is counted on the ` +
            'tokens as they stand in the files, lower-cased, as sacrebleu does with tokenize none.',
        ],
      },
      curve(training),
      ...examples(training, vocabularies, test, translations),
    ],
  }
}
