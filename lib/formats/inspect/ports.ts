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
  const features = inputSizeOf(first)
  const places = layers.map(placesOf).find((each) => each !== undefined) ?? []
  const x: Axes = features === undefined ? ['B', 'T'] : ['B', ...places, features]
  const dataType = layers.some((layer) => layer.dataType === 'float64') ? 'float64' : 'float32'
  const y = layers.reduce<Axes>((axes, layer) => after(layer, axes), x)
  return {
    inputs: [{ name: 'x', dataType: features === undefined ? 'int32' : dataType, shape: x }],
    outputs: [{ name: 'y', dataType, shape: y }],
  }
}

const ofSize = ['BatchNorm', 'LayerNorm']
const ofImages = ['Conv2d', 'MaxPool2d', 'AveragePool2d', 'GlobalMaxPool2d', 'GlobalAveragePool2d']

/** The axes between B and the features of what a layer reads; undefined where it reads any. */
function placesOf({ type, layer }: LayerConfig): readonly string[] | undefined {
  if (ofImages.includes(type)) return ['H', 'W']
  if ([...ofSize, 'Activation', 'Dropout', 'Linear'].includes(type)) return undefined
  if (type === 'LSTMCell') return []
  if (type !== 'TimeDistributed') return ['T']
  const inner = leavesOf(layer as LayerConfig).map(([, each]) => placesOf(each))
  const item = inner.find((each) => each !== undefined) ?? []
  return ['T', ...item.map((name) => (name === 'T' ? 'N' : name))]
}

/** The features that a layer says it reads. */
function inputSizeOf(layer: LayerConfig): number | undefined {
  if (layer.type === 'TimeDistributed')
    return leavesOf(layer.layer as LayerConfig)
      .map(([, inner]) => inputSizeOf(inner))
      .find((size) => size !== undefined)
  const size =
    layer.inputSize ?? layer.inputChannels ?? (ofSize.includes(layer.type) ? layer.size : layer.embedSize)
  return size as number | undefined
}

/** The axes behind a layer. */
function after(layer: LayerConfig, axes: Axes): Axes {
  const [B, T, F] = axes
  const C = axes.at(-1)!
  switch (layer.type) {
    case 'LSTM': {
      const R = ((layer.projectionSize as number) || layer.hiddenSize) as number
      const isConcatenated = layer.bidirectional && (layer.merge ?? 'concat') === 'concat'
      const size = isConcatenated ? 2 * R : R
      return layer.returnSequences === false ? [B, size] : [B, T, size]
    }
    case 'RNN':
      return [B, T, (layer.bidirectional ? 2 : 1) * (layer.hiddenSize as number)]
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
    case 'Conv2d':
      return [B, ...along(layer, axes), layer.outputChannels as number]
    case 'AveragePool2d':
    case 'MaxPool2d':
      return [B, ...along(layer, axes), C]
    case 'GlobalAveragePool2d':
    case 'GlobalMaxPool2d':
      return [B, C]
    case 'GlobalAveragePool1d':
    case 'GlobalMaxPool1d':
    case 'LastStep':
      return [B, F]
    case 'Flatten':
      return [B, axes.slice(1).join('·')]
    case 'TimeDistributed': {
      const item: Axes = ['B·T', ...axes.slice(2)]
      const inner = leavesOf(layer.layer as LayerConfig).reduce((each, [, one]) => after(one, each), item)
      return [B, T, ...inner.slice(1)]
    }
    default:
      return axes
  }
}

/** Rows and columns behind windows that go over both. */
function along({ stride, padding, kernelSize, size }: LayerConfig, axes: Axes): (number | string)[] {
  return axes.slice(1, -1).map((n, axis) => {
    const options = [stride, padding, kernelSize ?? size]
    const [step, added, width] = options.map((each) => (Array.isArray(each) ? each[axis] : each))
    return step === 1 && (added === 'same' || added === 'causal' || width === 1) ? n : shortened(n)
  })
}

function shortened(T: number | string): string {
  return String(T).endsWith("'") ? String(T) : `${T}'`
}
