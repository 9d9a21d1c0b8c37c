/** Models of this package as layers of Keras: which class each has, its configuration, and where its tensors lie. */
import { Activation } from '../../layers/activation.ts'
import { BatchNorm, type BatchNormOptions } from '../../layers/batch-norm.ts'
import type { Conv1d } from '../../layers/convolution.ts'
import type { Conv2d } from '../../layers/convolution2d.ts'
import { Dropout } from '../../layers/dropout.ts'
import { Embedding } from '../../layers/embedding.ts'
import { LastStep } from '../../layers/last-step.ts'
import type { Layer, Model } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { RNN } from '../../layers/rnn.ts'
import { Sequential } from '../../layers/sequential.ts'
import { Flatten, Masking, Reverse, TimeDistributed } from '../../layers/steps.ts'
import { complement } from './convert-normalization.ts'
import { describeLSTM } from './describe-lstm.ts'
import { canGoBackwards, describeRNN } from './describe-rnn.ts'
import {
  describeConvolution,
  describePool,
  isConvolution,
  isOverWindows,
  refuseMaskOfImages,
} from './describe-windows.ts'
import type { Dialect } from './layer-config.ts'
import { cannotSave, type KerasNode, type Reaching, requireName, type TensorTree } from './nodes.ts'
import { tensorsOfLayer } from './tensors.ts'

/** @throws {FileFormatError} for a layer or an option that Keras has nothing for */
export function describeModel(model: Model): KerasNode[] {
  const root = model instanceof Sequential ? model : new Sequential([model])
  return describeLayers(root.layers, { isMasked: false })
}

function describeLayers(layers: readonly Model[], reaching: Reaching): KerasNode[] {
  const nodes: KerasNode[] = []
  for (let i = 0; i < layers.length; i++) {
    const [layer, next] = [layers[i], layers[i + 1]]
    const place = `layer ${i} (${layer.constructor.name})`
    if (reaching.isMasked) refuseMaskOfImages(layer, place)
    if (reaching.isMasked) refuseMaskOfImages(layer, place)
    if (layer instanceof Sequential) nodes.push(describeNested(layer, reaching))
    else if (layer instanceof LSTM) {
      const described = describeLSTM(layer, { place, next, reaching })
      nodes.push(...described.nodes)
      if (described.takesNext) i += 1
    } else if (
      layer instanceof RNN ||
      (layer instanceof Reverse && next instanceof RNN && canGoBackwards(next))
    ) {
      const isBackwards = layer instanceof Reverse
      if (isBackwards) i += 1
      const around = { place, next: layers[i + 1], reaching, isBackwards }
      const described = describeRNN(layers[i] as RNN, around)
      nodes.push(...described.nodes)
      if (described.takesNext) {
        i += 1
        reaching.isMasked = false
      }
    } else if (layer instanceof Linear || isConvolution(layer)) {
      // Functions with numbers of their own are layers there.
      const isOption = next instanceof Activation && Object.keys(next.numbers).length === 0
      const activation = isOption ? next : undefined
      nodes.push(describeAffine(layer, place, activation))
      if (activation) i += 1
    } else if (layer instanceof TimeDistributed) nodes.push(...describeTimeDistributed(layer, place))
    else nodes.push(describeOther(layer, place, reaching))
    reaching.isMasked = isMaskedAfter(layer, reaching.isMasked)
  }
  return nodes
}

function isMaskedAfter(layer: Model, isMasked: boolean): boolean {
  if (layer instanceof Masking) return true
  if (layer instanceof Embedding) return isMasked || layer.config().maskZero === true
  if (layer instanceof LSTM) return isMasked && layer.config().returnSequences === true
  const ends = [Flatten, LastStep].some((type) => layer instanceof type)
  return isMasked && !ends && !isOverWindows(layer)
}

function describeNested(model: Sequential, reaching: Reaching): KerasNode {
  const layers = describeLayers(model.layers, reaching)
  return { className: 'Sequential', tensors: { own: [] }, layers, config: () => ({}) }
}

/** Dense and convolutions have the activation behind them as an option. */
function describeAffine(
  layer: Linear | Conv1d | Conv2d,
  place: string,
  activation: Activation | undefined,
): KerasNode {
  const functionName = (dialect: Dialect) =>
    activation ? functionNameOf(activation, place, dialect) : 'linear'
  if (!(layer instanceof Linear)) return describeConvolution(layer, place, functionName)
  const { outputSize, bias } = layer.config()
  const config = (dialect: Dialect) => ({
    units: outputSize,
    activation: functionName(dialect),
    use_bias: bias,
  })
  return { className: 'Dense', tensors: { own: tensorsOfLayer(layer) }, config }
}

function describeOther(layer: Model, place: string, reaching: Reaching): KerasNode {
  const node = (className: string, options: Readonly<Record<string, unknown>> = {}): KerasNode => ({
    className,
    tensors: { own: tensorsOfLayer(layer as Layer) },
    config: () => options,
  })
  if (layer instanceof Activation) return describeActivation(layer, place)
  if (layer instanceof Flatten) return node('Flatten', { data_format: 'channels_last' })
  if (layer instanceof Masking) return node('Masking', { mask_value: layer.value })
  const pool = describePool(layer, place, reaching)
  if (pool) return pool
  if (layer instanceof Dropout) {
    return node(layer.acrossTime ? 'SpatialDropout1D' : 'Dropout', { rate: layer.probability })
  }
  if (layer instanceof Embedding) {
    const { vocabularySize, embeddingSize, maskZero } = layer.config()
    return node('Embedding', { input_dim: vocabularySize, output_dim: embeddingSize, mask_zero: maskZero })
  }
  if (layer instanceof LayerNorm) return node('LayerNormalization', { axis: -1, epsilon: layer.config().eps })
  if (layer instanceof BatchNorm) {
    const { momentum, eps } = layer.config() as unknown as Required<BatchNormOptions>
    const options = { axis: -1, momentum: complement(momentum), epsilon: eps, center: true, scale: true }
    return node('BatchNormalization', options)
  }
  if (layer instanceof LastStep || layer instanceof Reverse) {
    const fix =
      layer instanceof LastStep
        ? 'an LSTM or RNN of one direction'
        : 'an LSTM with reverse: true, or right before an RNN'
    return cannotSave(place, `it goes right behind ${fix}, whose option it becomes`)
  }
  return cannotSave(place, 'there is no layer for it')
}

/** A layer inside it each: what stands in one line does so at every step. */
function describeTimeDistributed({ layer }: TimeDistributed, place: string): KerasNode[] {
  const inside = flat(layer)
  const makesMask = inside.some((each) => isMaskedAfter(each, false))
  const layers = describeLayers(inside, { isMasked: false })
  if (layers.length > 1 && makesMask)
    cannotSave(place, 'a mask made inside TimeDistributed does not get to the layers behind it there')
  return layers.map((inner) => {
    const tensors: TensorTree = { own: [], inner: { layer: inner.tensors } }
    return { className: 'TimeDistributed', tensors, wrapped: [['layer', inner]], config: () => ({}) }
  })
}

function flat(layer: Model): Model[] {
  return layer instanceof Sequential ? layer.layers.flatMap(flat) : [layer]
}

function describeActivation(layer: Activation, place: string): KerasNode {
  const { kind, numbers } = layer
  const tensors = { own: [] }
  if (kind === 'leakyRelu') {
    const config = (dialect: Dialect) =>
      dialect === 'keras3' ? { negative_slope: numbers.alpha } : { alpha: numbers.alpha }
    return { className: 'LeakyReLU', tensors, config }
  }
  if (kind === 'elu') {
    const config = (dialect: Dialect) => {
      if (dialect === 'tfjs' && numbers.alpha !== 1) cannotSave(place, 'expected alpha: 1 (TensorFlow.js)')
      return { alpha: numbers.alpha }
    }
    return { className: 'ELU', tensors, config }
  }
  const config = (dialect: Dialect) => ({ activation: functionNameOf(layer, place, dialect) })
  return { className: 'Activation', tensors, config }
}

function functionNameOf({ kind, numbers }: Activation, place: string, dialect: Dialect): string {
  return requireName({ kind, ...numbers }, place, dialect)
}
