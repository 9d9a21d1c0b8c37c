/** The options of an EncoderDecoder: their meaning, defaults and checks. */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { AttentionScore } from './attention.ts'
import { type FloatDataType, requireBoolean, requireDataType } from './initialisation.ts'

export interface EncoderDecoderOptions {
  /** Tokens of the source. */
  sourceVocabulary: number
  /** Tokens of the target, the two below included. */
  targetVocabulary: number
  /** The target token that every sequence begins after. */
  start: number
  /** The target token that ends a sequence. */
  end: number
  /** Of both embeddings. */
  embeddingSize: number
  /** Units of the decoder's LSTM. */
  hiddenSize: number
  /** Units of each direction of the encoder's LSTM; default half of hiddenSize, rounded up. */
  encoderSize?: number
  /** Layers of either LSTM; default 1. */
  numLayers?: number
  /** How the decoder asks the encoder's outputs; default 'general'. */
  score?: AttentionScore
  /** Features of the attentional vector; default hiddenSize, or with `tieWeights` embeddingSize. */
  attentionalSize?: number
  /** Whether each step of the decoder reads the attentional vector of the step before; default true. */
  inputFeeding?: boolean
  /** Whether the output multiplies by the target embedding's weight (Press & Wolf 2017); default false. */
  tieWeights?: boolean
  /** Of embeddings, of what goes from layer to layer, of the encoder's outputs and of attentional vectors, in [0, 1); default 0. */
  dropout?: number
  /** Of the initial values; default: the ambient stream. */
  seed?: number
  /** Default float32. */
  dataType?: FloatDataType
}

export type CompleteEncoderDecoderOptions = Required<Omit<EncoderDecoderOptions, 'seed'>> & { seed?: number }

const known = [
  ...['sourceVocabulary', 'targetVocabulary', 'start', 'end', 'embeddingSize', 'hiddenSize', 'encoderSize'],
  ...['numLayers', 'score', 'attentionalSize', 'inputFeeding', 'tieWeights', 'dropout', 'seed', 'dataType'],
]

/** @throws {TypeError | RangeError} if an option is unknown, missing or out of range */
export function completeEncoderDecoderOptions(options: EncoderDecoderOptions): CompleteEncoderDecoderOptions {
  const place = 'EncoderDecoder'
  refuseUnknownOptions(place, options, known)
  const { sourceVocabulary, targetVocabulary, start, end, embeddingSize, hiddenSize } = options
  const { numLayers = 1, score = 'general', inputFeeding = true, tieWeights = false } = options
  const { dropout = 0, seed, dataType = 'float32', encoderSize = Math.ceil(hiddenSize / 2) } = options
  const { attentionalSize = tieWeights ? embeddingSize : hiddenSize } = options
  const sizes = { sourceVocabulary, targetVocabulary, embeddingSize, hiddenSize, encoderSize }
  for (const [name, size] of Object.entries({ ...sizes, numLayers, attentionalSize }))
    requireInteger(place, name, size)
  for (const [name, token] of Object.entries({ start, end })) {
    requireInteger(place, name, token, 0)
    if (token < targetVocabulary) continue
    throw new RangeError(`${place}: expected ${name} in [0, ${targetVocabulary}), got ${token}`)
  }
  requireBoolean(place, 'inputFeeding', inputFeeding)
  requireBoolean(place, 'tieWeights', tieWeights)
  requireNumber(place, 'dropout', dropout, { low: 0, high: 1, open: true })
  requireDataType(place, dataType)
  if (tieWeights && attentionalSize !== embeddingSize) {
    throw new RangeError(
      `${place}: expected an attentionalSize of ${embeddingSize}, as embeddingSize, with tieWeights, got ${attentionalSize}`,
    )
  }
  const choices = { score, attentionalSize, inputFeeding, tieWeights, dropout, seed, dataType }
  return { ...sizes, start, end, numLayers, ...choices }
}
