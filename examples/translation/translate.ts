/** From sentences to sentences, and what the network looked at. */
import { type EncoderDecoder, generate, noGrad, Tensor } from 'lstm-native'
import type { Section } from 'lstm-native/report'
import { encodeSource, type Vocabularies } from './data.ts'

/** Sentences whose beams run in the same batches. */
const together = 100

export async function translate(
  model: EncoderDecoder,
  vocabularies: Vocabularies,
  sentences: readonly string[],
  beams: number,
): Promise<string[]> {
  const texts: string[] = []
  for (let n = 0; n < sentences.length; n += together) {
    const runs = sentences.slice(n, n + together).map(async (sentence) => {
      const source = encodeSource(sentence, vocabularies)
      const maxLength = 2 * source.length + 10
      const { tokens } = await generate(model, { source, maxLength, beams, lengthPenalty: 1 }).result()
      return vocabularies.target.decode(tokens)
    })
    texts.push(...(await Promise.all(runs)))
  }
  return texts
}

/** Where the decoder looked when it wrote each word of a translation. */
export function attentionMap(
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
