/** From sentences to sentences. */
import { type EncoderDecoder, generate } from 'lstm-native'
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
