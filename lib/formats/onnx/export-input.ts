/** What goes into a model, as its layers tell. */
import { Layer, type Model } from '../../layers/layer.ts'
import { Sequential } from '../../layers/sequential.ts'
import { TimeDistributed } from '../../layers/steps.ts'
import type { Dim } from './export-graph.ts'

interface Asked {
  /** Axes of the input; undefined for a layer that takes any. */
  rank?: number
  /** It has an axis of steps, whatever else. */
  isOnSteps?: boolean
  /** Its last axis, if the layer tells. */
  features?: number
  /** It reads indices. */
  isTokens?: boolean
  /** What comes out has other features than what goes in, or of another meaning. */
  changesFeatures?: boolean
}

/**
 * Float [B, T, I] or, where no layer has an axis of steps, [B, I], images with rows for steps; int64 [B, T] where an Embedding
 * comes first.
 */
export function inputOf(model: Model): { isTokens: boolean; shape: Dim[] } {
  const { features, isTokens = false, ...asked } = askedBy(model)
  const rank = rankOf(asked)
  const inner = Array.from({ length: rank - (isTokens ? 2 : 3) }, (_, i) => `N${i + 1}`)
  if (isTokens) return { isTokens, shape: ['B', 'T', ...inner].slice(0, rank) }
  return { isTokens, shape: [...['B', 'T', ...inner].slice(0, rank - 1), features ?? null] }
}

function rankOf({ rank, isOnSteps }: Asked): number {
  return rank ?? (isOnSteps ? 3 : 2)
}

function askedBy(model: Model): Asked {
  if (model instanceof Sequential) {
    const all = model.layers.map(askedBy)
    const last = all.findIndex(({ changesFeatures }) => changesFeatures)
    const before = last < 0 ? all : all.slice(0, last + 1)
    return {
      rank: all.find(({ rank }) => rank !== undefined)?.rank,
      isOnSteps: all.some(({ isOnSteps }) => isOnSteps),
      features: before.find(({ features }) => features !== undefined)?.features,
      isTokens: before.some(({ isTokens }) => isTokens),
      changesFeatures: last >= 0,
    }
  }
  if (model instanceof TimeDistributed) {
    const inner = askedBy(model.layer)
    return { ...inner, rank: rankOf(inner) + 1 }
  }
  if (!(model instanceof Layer)) return {}
  const { type, inputSize, inputChannels, embedSize, size } = model.config() as Record<string, unknown>
  switch (type) {
    case 'Embedding':
      return { rank: 2, isTokens: true, changesFeatures: true }
    case 'LSTM':
    case 'RNN':
      return { rank: 3, features: inputSize as number, changesFeatures: true }
    case 'LSTMCell':
      return { rank: 2, features: inputSize as number, changesFeatures: true }
    case 'Linear':
      return { features: inputSize as number, changesFeatures: true }
    case 'BatchNorm':
    case 'LayerNorm':
      return { features: size as number }
    case 'Conv1d':
      return { rank: 3, features: inputChannels as number, changesFeatures: true }
    case 'Conv2d':
      return { rank: 4, features: inputChannels as number, changesFeatures: true }
    case 'AveragePool2d':
    case 'GlobalAveragePool2d':
    case 'GlobalMaxPool2d':
    case 'MaxPool2d':
      return { rank: 4 }
    case 'MultiHeadAttention':
      return { rank: 3, features: embedSize as number, changesFeatures: true }
    case 'Flatten':
      return { rank: 3, changesFeatures: true }
    case 'Masking':
    case 'Reverse':
      return { isOnSteps: true }
    case 'Activation':
    case 'Dropout':
      return {}
    default:
      return { rank: 3 }
  }
}
