/** What goes into a stack of layers and comes out of it, from its configuration. */
import type { LayerConfig } from '../../layers/layer.ts'
import type { Port } from './inspection.ts'
import { leavesOf } from './layers.ts'

type Axes = readonly (number | string)[]

/** The shapes of x and y, as far as the layers tell: T' is a number of steps that depends on T. */
export function portsOf(model: LayerConfig): { inputs: Port[]; outputs: Port[] } {
  const layers = leavesOf(model).map(([, layer]) => layer)
  const first = layers.find((layer) => inputSizeOf(layer) !== undefined || layer.type === 'Embedding')
  if (!first) return { inputs: [], outputs: [] }
  const isVector = layers.every(({ type }) => ['Activation', 'Dropout', 'LayerNorm', 'Linear'].includes(type))
  const features = inputSizeOf(first)
  const x: Axes = features === undefined ? ['B', 'T'] : [...(isVector ? ['B'] : ['B', 'T']), features]
  const dataType = layers.some((layer) => layer.dataType === 'float64') ? 'float64' : 'float32'
  const y = layers.reduce<Axes>((axes, layer) => after(layer, axes), x)
  return {
    inputs: [{ name: 'x', dataType: features === undefined ? 'int32' : dataType, shape: x }],
    outputs: [{ name: 'y', dataType, shape: y }],
  }
}

/** The features that a layer says it reads. */
function inputSizeOf(layer: LayerConfig): number | undefined {
  if (layer.type === 'TimeDistributed')
    return leavesOf(layer.layer as LayerConfig)
      .map(([, inner]) => inputSizeOf(inner))
      .find((size) => size !== undefined)
  const size = layer.inputSize ?? layer.inputChannels ?? (layer.type === 'LayerNorm' ? layer.size : undefined)
  return size as number | undefined
}

/** The axes behind a layer. */
function after(layer: LayerConfig, axes: Axes): Axes {
  const [B, T, F] = axes
  switch (layer.type) {
    case 'LSTM': {
      const R = ((layer.projectionSize as number) || layer.hiddenSize) as number
      const isConcatenated = layer.bidirectional && (layer.merge ?? 'concat') === 'concat'
      const size = isConcatenated ? 2 * R : R
      return layer.returnSequences === false ? [B, size] : [B, T, size]
    }
    case 'LSTMCell':
      return [B, layer.hiddenSize as number]
    case 'Linear':
      return axes.with(-1, layer.outputSize as number)
    case 'Embedding':
      return [...axes, layer.embeddingSize as number]
    case 'Conv1d': {
      const keeps = layer.stride === 1 && ['same', 'causal'].includes(layer.padding as string)
      return [B, keeps ? T : shortened(T), layer.outputChannels as number]
    }
    case 'AveragePool1d':
    case 'MaxPool1d':
      return layer.stride === 1 && layer.padding === 'same' ? axes : [B, shortened(T), F]
    case 'GlobalAveragePool1d':
    case 'GlobalMaxPool1d':
    case 'LastStep':
      return [B, F]
    case 'Flatten':
      return [B, `${T}·${F}`]
    case 'TimeDistributed':
      return leavesOf(layer.layer as LayerConfig).reduce((inner, [, each]) => after(each, inner), axes)
    default:
      return axes
  }
}

function shortened(T: number | string): string {
  return String(T).endsWith("'") ? String(T) : `${T}'`
}
