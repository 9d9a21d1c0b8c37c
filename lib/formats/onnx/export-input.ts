/** What goes into a model, as its layers tell. */
import { Layer, type Model } from '../../layers/layer.ts'
import { Sequential } from '../../layers/sequential.ts'
import { TimeDistributed } from '../../layers/steps.ts'
import type { Dim } from './export-graph.ts'

interface Asked {
  /** Axes of the input; undefined for a layer that takes any. */
  rank?: number
  /** Its last axis, if the layer tells. */
  features?: number
  /** It reads indices. */
  isTokens?: boolean
  /** What comes out has other features than what goes in, or of another meaning. */
  changesFeatures?: boolean
}

/** Float [B, T, I] or, where no layer has an axis of steps, [B, I]; int64 [B, T] where an Embedding comes first. */
export function inputOf(model: Model): { isTokens: boolean; shape: Dim[] } {
  const { rank = 2, features, isTokens = false } = askedBy(model)
  const inner = Array.from({ length: rank - (isTokens ? 2 : 3) }, (_, i) => `N${i + 1}`)
  if (isTokens) return { isTokens, shape: ['B', 'T', ...inner].slice(0, rank) }
  return { isTokens, shape: [...['B', 'T', ...inner].slice(0, rank - 1), features ?? null] }
}

function askedBy(model: Model): Asked {
  if (model instanceof Sequential) {
    const all = model.layers.map(askedBy)
    const last = all.findIndex(({ changesFeatures }) => changesFeatures)
    const before = last < 0 ? all : all.slice(0, last + 1)
    return {
      rank: all.find(({ rank }) => rank !== undefined)?.rank,
      features: before.find(({ features }) => features !== undefined)?.features,
      isTokens: before.some(({ isTokens }) => isTokens),
      changesFeatures: last >= 0,
    }
  }
  if (model instanceof TimeDistributed) {
    const { rank = 2, ...inner } = askedBy(model.layer)
    return { ...inner, rank: rank + 1 }
  }
  if (!(model instanceof Layer)) return {}
  const { type, inputSize, inputChannels, size } = model.config() as Record<string, unknown>
  switch (type) {
    case 'Embedding':
      return { rank: 2, isTokens: true, changesFeatures: true }
    case 'LSTM':
      return { rank: 3, features: inputSize as number, changesFeatures: true }
    case 'LSTMCell':
      return { rank: 2, features: inputSize as number, changesFeatures: true }
    case 'Linear':
      return { features: inputSize as number, changesFeatures: true }
    case 'LayerNorm':
      return { features: size as number }
    case 'Conv1d':
      return { rank: 3, features: inputChannels as number, changesFeatures: true }
    case 'Flatten':
      return { rank: 3, changesFeatures: true }
    case 'Activation':
    case 'Dropout':
      return {}
    default:
      return { rank: 3 }
  }
}
