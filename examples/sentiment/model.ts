/** The networks that judge a sentence: what they are, how they learn, and what they say together. */
import {
  adam,
  binaryAccuracy,
  binaryCrossEntropy,
  type DataSet,
  Dropout,
  Embedding,
  type Fold,
  fit,
  GlobalMaxPool1d,
  integratedGradients,
  Linear,
  LSTM,
  noGrad,
  Sequential,
  subset,
} from 'lstm-native'

export interface Size {
  /** In the vocabulary. */
  words: number
  embedding: number
  hidden: number
  /** At most; training ends two epochs after the best, where there are so many. */
  epochs: number
  batchSize: number
  learningRate: number
  /** Networks of a fold, alike but for their seeds, whose log-odds are averaged. */
  networks: number
}

/** Word vectors drawn at random, an LSTM each way, the largest value of each of its outputs, and the log-odds of fresh. */
export function judge({ words, embedding, hidden }: Size, seed: number): Sequential {
  return new Sequential([
    new Embedding({ vocabularySize: words, embeddingSize: embedding, paddingIndex: 0, deviation: 0.1, seed }),
    new Dropout({ probability: 0.5 }),
    new LSTM({ inputSize: embedding, hiddenSize: hidden, bidirectional: true, seed: seed + 1 }),
    new GlobalMaxPool1d(),
    new Dropout({ probability: 0.5 }),
    new Linear({ inputSize: 2 * hidden, outputSize: 1, seed: seed + 2 }),
  ])
}

/** Trains a network on a fold; the weights kept are those of the epoch that was right most often on the part set aside. */
export async function train(
  data: DataSet,
  fold: Fold,
  { size, seed, signal, log }: { size: Size; seed: number; signal: AbortSignal; log: (line: string) => void },
): Promise<Sequential> {
  const model = judge(size, seed)
  const epochs = fit(model, subset(data, fold.train), {
    loss: binaryCrossEntropy,
    optimizer: adam({ learningRate: size.learningRate }),
    clipNorm: 1,
    epochs: size.epochs,
    batchSize: size.batchSize,
    validation: subset(data, fold.validation),
    metrics: { accuracy: binaryAccuracy },
    earlyStopping: { patience: 2, monitor: ({ validationMetrics }) => -validationMetrics!.accuracy },
    seed,
    signal,
  })
  for await (const { number, loss, validationMetrics, seconds } of epochs) {
    const right = (100 * validationMetrics!.accuracy).toFixed(1)
    log(`epoch ${number}: loss ${loss.toFixed(3)}, set aside ${right} % right, ${seconds.toFixed(1)} s`)
  }
  return model
}

/** The mean of the networks' log-odds for each of some sentences. */
export function judgements(models: readonly Sequential[], data: DataSet, indices: Uint32Array): Float64Array {
  const sum = new Float64Array(indices.length)
  for (let start = 0; start < indices.length; start += 64) {
    const { x, lengths } = data.batch(indices.subarray(start, start + 64))
    for (const model of models) {
      const { array } = noGrad(() => model.forward(x, { lengths }))
      for (const [n, odds] of array.entries()) sum[start + n] += odds / models.length
    }
  }
  return sum
}

/**
 * What each word of a sentence added to the mean log-odds, beside no word at all: integrated gradients from vectors of zeros.
 * They are linear in the score, so that those of the mean are the mean of those of the networks.
 */
export function wordsOf(models: readonly Sequential[], data: DataSet, index: number): Float64Array {
  const { x } = data.batch([index])
  const sum = new Float64Array(x.size)
  for (const model of models) {
    const { steps } = integratedGradients(model, x)
    for (const [t, added] of steps.array.entries()) sum[t] += added / models.length
  }
  return sum
}
