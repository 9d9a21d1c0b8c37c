/** Models of tokens, small enough that all of their texts can be listed. */
import {
  activation,
  compile,
  Embedding,
  Linear,
  LSTM,
  type Plan,
  parametersOf,
  Sequential,
  Tensor,
} from 'lstm-native'

interface Options {
  vocabulary?: number
  /** Of all weights: how far the logits stand apart, and how much of the text they depend on. */
  scale?: number
  seed?: number
  ending?: 'softmax' | 'logSoftmax'
  dataType?: 'float32' | 'float64'
}

export function languageModel({
  vocabulary = 4,
  scale = 4,
  seed = 1,
  ending,
  dataType = 'float32',
}: Options = {}): Sequential {
  const model = new Sequential([
    new Embedding({ vocabularySize: vocabulary, embeddingSize: 3, seed, dataType }),
    new LSTM({ inputSize: 3, hiddenSize: 6, numLayers: 2, seed: seed + 1, dataType }),
    new Linear({ inputSize: 6, outputSize: vocabulary, seed: seed + 2, dataType }),
    ...(ending ? [activation(ending)] : []),
  ])
  // With initial weights every text would soon repeat one token.
  for (const { data } of parametersOf(model).values()) for (let i = 0; i < data.length; i++) data[i] *= scale
  return model
}

export function languagePlan(options?: Options): Plan {
  return compile(languageModel(options))
}

/** ln p of each token after a text, from the whole text anew. */
export function nextLogProbabilities(plan: Plan, text: readonly number[]): number[] {
  const output = plan.predictSync(new Tensor([1, text.length], Int32Array.from(text)))
  const logits = [...output.array.slice(-plan.outputSize)]
  const largest = Math.max(...logits)
  const total = logits.reduce((sum, z) => sum + Math.exp(z - largest), 0)
  return logits.map((z) => z - largest - Math.log(total))
}

export function argmax(values: readonly number[]): number {
  return values.indexOf(Math.max(...values))
}

export interface Text {
  tokens: number[]
  logProbability: number
}

/** Every text of at most `length` tokens that ends there or with the token `end`, the most probable first. */
export function allTexts(plan: Plan, prompt: readonly number[], length: number, end = -1): Text[] {
  const texts: Text[] = []
  const visit = (tokens: number[], logProbability: number): void => {
    if (tokens.length === length || (tokens.length > 0 && tokens.at(-1) === end)) {
      texts.push({ tokens, logProbability })
      return
    }
    const next = nextLogProbabilities(plan, [...prompt, ...tokens])
    for (const [token, log] of next.entries()) visit([...tokens, token], logProbability + log)
  }
  visit([], 0)
  return texts.sort((a, b) => b.logProbability - a.logProbability)
}

/** Pearson's statistic Σ (observed − expected)² / expected. */
export function chiSquare(counts: readonly number[], probabilities: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return counts.reduce(
    (sum, count, i) => sum + (count - total * probabilities[i]) ** 2 / (total * probabilities[i]),
    0,
  )
}
