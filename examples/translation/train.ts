/** The network, and how it learns. */
import { existsSync } from 'node:fs'
import { adam, cosine, crossEntropy, EncoderDecoder, fit, warmUp } from 'lstm-native'
import type { RecipeContext } from '../support/recipe.ts'
import { encodePairs, type Pairs, type Vocabularies } from './data.ts'

export interface Training {
  model: EncoderDecoder
  epochs: { loss: number; validationLoss: number }[]
  minutes: number
}

/** Szegedy et al. 2016. */
const labelSmoothing = 0.1

/** Sizes, passes over the data, and updates in which the learning rate rises to its height. */
export const full = {
  ...{ embeddingSize: 256, hiddenSize: 512, dropout: 0.3 },
  ...{ epochs: 12, batchSize: 64, learningRate: 1e-3, warmUp: 200 },
}
export const quick: typeof full = {
  ...{ embeddingSize: 32, hiddenSize: 64, dropout: 0 },
  ...{ epochs: 40, batchSize: 16, learningRate: 1e-2, warmUp: 20 },
}

export function makeModel(vocabularies: Vocabularies, settings: typeof full, seed: number): EncoderDecoder {
  const { source, target } = vocabularies
  const { embeddingSize, hiddenSize, dropout } = settings
  return new EncoderDecoder({
    sourceVocabulary: source.size,
    targetVocabulary: target.size,
    start: target.specials.start!,
    end: target.specials.end!,
    embeddingSize,
    hiddenSize,
    tieWeights: true,
    dropout,
    seed,
  })
}

/** @param checkpoint a file to go on from, if it is there, and to write after every epoch */
export async function train(
  data: { train: Pairs; validation: Pairs; vocabularies: Vocabularies },
  { seed, checkpoint, context }: { seed: number; checkpoint?: string; context: RecipeContext },
): Promise<Training> {
  const settings = context.quick ? quick : full
  const model = makeModel(data.vocabularies, settings, seed)
  const epochs: Training['epochs'] = []
  let seconds = 0
  const training = fit(model, encodePairs(data.train, data.vocabularies), {
    loss: (prediction, target, options) => crossEntropy(prediction, target, { ...options, labelSmoothing }),
    validation: encodePairs(data.validation, data.vocabularies),
    epochs: settings.epochs,
    batchSize: settings.batchSize,
    optimizer: adam({ learningRate: settings.learningRate }),
    schedule: warmUp({ length: settings.warmUp, next: cosine() }),
    clipNorm: 1,
    seed,
    signal: context.signal,
    ...(checkpoint !== undefined && { checkpoint: { path: checkpoint } }),
    ...(checkpoint !== undefined && existsSync(checkpoint) && { resume: checkpoint }),
  })
  for await (const { number, loss, validationLoss = Number.NaN, ...epoch } of training) {
    seconds += epoch.seconds
    epochs.push({ loss, validationLoss })
    const numbers = `loss ${loss.toFixed(3)}, validation ${validationLoss.toFixed(3)}`
    context.log(`epoch ${number} of ${settings.epochs}: ${numbers}, ${epoch.seconds.toFixed(0)} s`)
  }
  return { model, epochs, minutes: seconds / 60 }
}
