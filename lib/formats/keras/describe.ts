/** Models of this package as layers of Keras: which class each has, its configuration, and where its tensors lie. */
import { Activation } from '../../layers/activation.ts'
import { Conv1d } from '../../layers/convolution.ts'
import { Dropout } from '../../layers/dropout.ts'
import { Embedding } from '../../layers/embedding.ts'
import { LastStep } from '../../layers/last-step.ts'
import type { Layer, LayerConfig, Model } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LSTM } from '../../layers/lstm.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../../layers/pooling.ts'
import { Sequential } from '../../layers/sequential.ts'
import { Flatten, Masking, Reverse, TimeDistributed } from '../../layers/steps.ts'
import { describeLSTM } from './describe-lstm.ts'
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
    if (layer instanceof Sequential) nodes.push(describeNested(layer, reaching))
    else if (layer instanceof LSTM) {
      const described = describeLSTM(layer, { place, next, reaching })
      nodes.push(...described.nodes)
      if (described.takesNext) i += 1
    } else if (layer instanceof Linear || layer instanceof Conv1d) {
      // Functions with numbers of their own are layers there.
      const isOption = next instanceof Activation && Object.keys(next.numbers).length === 0
      const activation = isOption ? next : undefined
      nodes.push(describeAffine(layer, place, activation))
      if (activation) i += 1
    } else nodes.push(describeOther(layer, place, reaching))
    reaching.isMasked = isMaskedAfter(layer, reaching.isMasked)
  }
  return nodes
}

function isMaskedAfter(layer: Model, isMasked: boolean): boolean {
  if (layer instanceof Masking) return true
  if (layer instanceof Embedding) return isMasked || layer.config().maskZero === true
  if (layer instanceof LSTM) return isMasked && layer.config().returnSequences === true
  const ends = [Conv1d, MaxPool1d, AveragePool1d, GlobalMaxPool1d, GlobalAveragePool1d, Flatten, LastStep]
  return isMasked && !ends.some((type) => layer instanceof type)
}

function describeNested(model: Sequential, reaching: Reaching): KerasNode {
  const layers = describeLayers(model.layers, reaching)
  return { className: 'Sequential', tensors: { own: [] }, layers, config: () => ({}) }
}

/** Dense and Conv1D have the activation behind them as an option. */
function describeAffine(
  layer: Linear | Conv1d,
  place: string,
  activation: Activation | undefined,
): KerasNode {
  const options = layer.config()
  const functionName = (dialect: Dialect) =>
    activation ? functionNameOf(activation, place, dialect) : 'linear'
  const tensors = { own: tensorsOfLayer(layer) }
  if (layer instanceof Linear) {
    const config = (dialect: Dialect) => ({
      units: options.outputSize,
      activation: functionName(dialect),
      use_bias: options.bias,
    })
    return { className: 'Dense', tensors, config }
  }
  const config = (dialect: Dialect) => ({
    filters: options.outputChannels,
    kernel_size: [options.kernelSize],
    strides: [options.stride],
    padding: convolutionPadding(options, place, dialect),
    data_format: 'channels_last',
    dilation_rate: [options.dilation],
    groups: options.groups,
    activation: functionName(dialect),
    use_bias: options.bias,
  })
  return { className: 'Conv1D', tensors, config }
}

function describeOther(layer: Model, place: string, { isMasked }: Reaching): KerasNode {
  const node = (className: string, options: Readonly<Record<string, unknown>> = {}): KerasNode => ({
    className,
    tensors: { own: tensorsOfLayer(layer as Layer) },
    config: () => options,
  })
  if (layer instanceof Activation) return describeActivation(layer, place)
  if (layer instanceof TimeDistributed) return describeTimeDistributed(layer, place)
  if (layer instanceof Flatten) return node('Flatten', { data_format: 'channels_last' })
  if (layer instanceof Masking) return node('Masking', { mask_value: layer.value })
  if (layer instanceof GlobalMaxPool1d) return node('GlobalMaxPooling1D', globalOptions)
  if (layer instanceof GlobalAveragePool1d) {
    const config = (dialect: Dialect) =>
      dialect === 'tfjs' && isMasked
        ? cannotSave(place, 'the mean is over masked steps too (TensorFlow.js); leave the mask out')
        : globalOptions
    return { className: 'GlobalAveragePooling1D', tensors: { own: [] }, config }
  }
  if (layer instanceof Dropout) {
    return node(layer.acrossTime ? 'SpatialDropout1D' : 'Dropout', { rate: layer.probability })
  }
  if (layer instanceof Embedding) {
    const { vocabularySize, embeddingSize, maskZero } = layer.config()
    return node('Embedding', { input_dim: vocabularySize, output_dim: embeddingSize, mask_zero: maskZero })
  }
  if (layer instanceof LayerNorm) return node('LayerNormalization', { axis: -1, epsilon: layer.config().eps })
  if (layer instanceof MaxPool1d || layer instanceof AveragePool1d) {
    const { size, stride, padding, countPadding } = layer.config()
    if (countPadding && padding !== 'valid') cannotSave(place, 'it counts padding; leave countPadding out')
    const options = { pool_size: [size], strides: [stride], padding: paddingOf(padding, place) }
    const className = layer instanceof MaxPool1d ? 'MaxPooling1D' : 'AveragePooling1D'
    return node(className, { ...options, data_format: 'channels_last' })
  }
  if (layer instanceof LastStep || layer instanceof Reverse) {
    const fix = layer instanceof LastStep ? 'an LSTM of one direction' : 'an LSTM with reverse: true'
    return cannotSave(place, `it goes right behind ${fix}, whose option it becomes`)
  }
  return cannotSave(place, 'there is no layer for it')
}

const globalOptions = { data_format: 'channels_last', keepdims: false }

function describeTimeDistributed({ layer }: TimeDistributed, place: string): KerasNode {
  const layers = describeLayers(layer instanceof Sequential ? layer.layers : [layer], { isMasked: false })
  if (layers.length !== 1)
    cannotSave(place, 'expected one layer, or one with its activation, inside TimeDistributed')
  const [inner] = layers
  const tensors: TensorTree = { own: [], inner: { layer: inner.tensors } }
  return { className: 'TimeDistributed', tensors, wrapped: [['layer', inner]], config: () => ({}) }
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

/** TensorFlow.js has neither causal convolutions nor groups. */
function convolutionPadding({ padding, groups }: LayerConfig, place: string, dialect: Dialect): unknown {
  if (dialect === 'tfjs' && (padding === 'causal' || groups !== 1))
    return cannotSave(place, "expected padding: 'valid' or 'same' and groups: 1 (TensorFlow.js)")
  return paddingOf(padding, place)
}

function paddingOf(padding: unknown, place: string): unknown {
  if (padding === 0) return 'valid'
  if (typeof padding === 'string') return padding
  return cannotSave(place, `expected padding: 'valid', 'same' or 'causal', got ${padding}`)
}
