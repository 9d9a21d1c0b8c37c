/** What the report shows: the loss, sentences, and what the network looked at. */
import { type EncoderDecoder, noGrad, Tensor } from 'lstm-native'
import type { Section } from 'lstm-native/report'
import { encodeSource, type Pairs, type Vocabularies } from './data.ts'
import type { Training } from './train.ts'

export function curve({ epochs }: Training): Section {
  const points = (name: 'loss' | 'validationLoss') => epochs.map((epoch, i) => ({ x: i + 1, y: epoch[name] }))
  return {
    kind: 'lines',
    title: 'Cross-entropy with smoothed labels by epoch, nats a token',
    lines: [
      { name: 'training, with dropout', points: points('loss') },
      { name: 'validation', points: points('validationLoss') },
    ],
    x: { label: 'epoch', format: 'd' },
    y: {},
  }
}

/** Sentences of a length that fits the page. */
export function examples(
  { model }: Training,
  vocabularies: Vocabularies,
  { source, target }: Pairs,
  translations: string[],
): Section[] {
  const chosen = source.flatMap((sentence, n) =>
    sentence.split(' ').length <= 14 && translations[n] !== '' ? [n] : [],
  )
  return [
    {
      kind: 'samples',
      title: 'Sentences',
      samples: chosen.slice(0, 8).map((n) => ({
        text: `${source[n]}\n→ ${translations[n]}\n= ${target[n]}`,
      })),
      note: 'The German sentence; its translation by the network (→); that of the data (=).',
    },
    {
      kind: 'text',
      title: 'What the decoder looked at',
      paragraphs: [
        'A row for each word that was written: how much of the attention went to each German word.',
      ],
    },
    ...chosen.slice(0, 6).map((n) => attentionMap(model, vocabularies, source[n], translations[n])),
  ]
}

/** Where the decoder looked when it wrote each word of a translation. */
function attentionMap(
  model: EncoderDecoder,
  vocabularies: Vocabularies,
  sentence: string,
  translation: string,
): Section {
  const source = encodeSource(sentence, vocabularies)
  const target = vocabularies.target.encode(translation, { end: true })
  const weights = noGrad(() =>
    model.align(new Tensor([1, source.length], source), { target: new Tensor([1, target.length], target) }),
  )
  const S = source.length
  return {
    kind: 'heatMap',
    title: translation,
    columns: [...sentence.split(' '), '</s>'],
    rows: Array.from(target, (token) => vocabularies.target.tokenAt(token)),
    values: Array.from(target, (_, t) => Array.from(weights.data.slice(t * S, (t + 1) * S))),
    size: 'full',
  }
}
