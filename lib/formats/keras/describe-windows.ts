/** Convolutions and pools, over steps or over images, as layers of Keras. */
import { Conv1d } from '../../layers/convolution.ts'
import { Conv2d } from '../../layers/convolution2d.ts'
import type { Layer, LayerConfig, Model } from '../../layers/layer.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../../layers/pooling.ts'
import { AveragePool2d, GlobalAveragePool2d, GlobalMaxPool2d, MaxPool2d } from '../../layers/pooling2d.ts'
import type { Dialect } from './layer-config.ts'
import { cannotSave, type KerasNode, type Reaching } from './nodes.ts'
import { tensorsOfLayer } from './tensors.ts'

type Class = abstract new (...options: never[]) => Layer

const ofImages: readonly Class[] = [Conv2d, MaxPool2d, AveragePool2d, GlobalMaxPool2d, GlobalAveragePool2d]
const convolutions: readonly Class[] = [Conv1d, Conv2d]

const pools: readonly (readonly [type: Class, className: string])[] = [
  [MaxPool1d, 'MaxPooling1D'],
  [MaxPool2d, 'MaxPooling2D'],
  [AveragePool1d, 'AveragePooling1D'],
  [AveragePool2d, 'AveragePooling2D'],
]

const globalPools: readonly (readonly [type: Class, className: string])[] = [
  [GlobalMaxPool1d, 'GlobalMaxPooling1D'],
  [GlobalMaxPool2d, 'GlobalMaxPooling2D'],
  [GlobalAveragePool1d, 'GlobalAveragePooling1D'],
  [GlobalAveragePool2d, 'GlobalAveragePooling2D'],
]

export function isOnImages(layer: Model | undefined): boolean {
  return ofImages.some((type) => layer instanceof type)
}

/** In Keras the mask of images is one of places, here it is one of rows. */
export function refuseMaskOfImages(layer: Model, place: string): void {
  if (isOnImages(layer))
    cannotSave(place, 'a mask reaches it, which is one of places in images there; leave the mask out')
}

export function isConvolution(layer: Model): layer is Conv1d | Conv2d {
  return convolutions.some((type) => layer instanceof type)
}

/** Whether it goes over steps or images in windows, or over all of them. */
export function isOverWindows(layer: Model): boolean {
  return [...convolutions, ...[...pools, ...globalPools].map(([type]) => type)].some(
    (type) => layer instanceof type,
  )
}

export function describeConvolution(
  layer: Conv1d | Conv2d,
  place: string,
  functionName: (dialect: Dialect) => string,
): KerasNode {
  const options = layer.config()
  const axes = layer instanceof Conv2d ? 2 : 1
  const [strides, dilations] = [listOf(options.stride, axes), listOf(options.dilation, axes)]
  const isMoved = (all: readonly unknown[]) => all.some((each) => each !== 1)
  if (isMoved(strides) && isMoved(dilations)) cannotSave(place, 'expected stride: 1 or dilation: 1')
  const config = (dialect: Dialect) => ({
    filters: options.outputChannels,
    kernel_size: listOf(options.kernelSize, axes),
    strides,
    padding: convolutionPadding(options, axes, place, dialect),
    data_format: 'channels_last',
    dilation_rate: dilations,
    groups: options.groups,
    activation: functionName(dialect),
    use_bias: options.bias,
  })
  return { className: axes === 2 ? 'Conv2D' : 'Conv1D', tensors: { own: tensorsOfLayer(layer) }, config }
}

/** A pool; undefined for another layer. */
export function describePool(layer: Model, place: string, { isMasked }: Reaching): KerasNode | undefined {
  const tensors = { own: [] }
  const [, whole] = globalPools.find(([type]) => layer instanceof type) ?? []
  if (whole) {
    const config = (dialect: Dialect) =>
      dialect === 'tfjs' && isMasked && layer instanceof GlobalAveragePool1d
        ? cannotSave(place, 'the mean is over masked steps too (TensorFlow.js); leave the mask out')
        : { data_format: 'channels_last', keepdims: false }
    return { className: whole, tensors, config }
  }
  const [, className] = pools.find(([type]) => layer instanceof type) ?? []
  if (!className) return undefined
  const { size, stride, padding: added, countPadding } = (layer as Layer).config()
  const axes = className.endsWith('2D') ? 2 : 1
  const padding = paddingOf(added, axes, place)
  if (countPadding && padding !== 'valid') cannotSave(place, 'it counts padding; leave countPadding out')
  const options = { pool_size: listOf(size, axes), strides: listOf(stride, axes), padding }
  return { className, tensors, config: () => ({ ...options, data_format: 'channels_last' }) }
}

function listOf(option: unknown, axes: number): readonly unknown[] {
  return Array.isArray(option) ? option : Array.from({ length: axes }, () => option)
}

/** TensorFlow.js has neither causal convolutions nor groups. */
function convolutionPadding(
  { padding, groups }: LayerConfig,
  axes: number,
  place: string,
  dialect: Dialect,
): unknown {
  const found = paddingOf(padding, axes, place)
  if (found === 'causal' && axes > 1) cannotSave(place, "expected padding: 'valid' or 'same', got causal")
  if (dialect === 'tfjs' && (found === 'causal' || groups !== 1))
    return cannotSave(place, "expected padding: 'valid' or 'same' and groups: 1 (TensorFlow.js)")
  return found
}

/** One for all axes. */
function paddingOf(padding: unknown, axes: number, place: string): unknown {
  const all = listOf(padding, axes).map((each) => (each === 0 ? 'valid' : each))
  if (typeof all[0] === 'string' && all.every((each) => each === all[0])) return all[0]
  return cannotSave(place, `expected padding: 'valid', 'same' or 'causal', got ${padding}`)
}
