/** The layers that the nodes of a chain are. */
import type { FloatArray } from '../../kernels/contract.ts'
import { type ActivationKind, type ActivationNumbers, activation } from '../../layers/activation.ts'
import { BatchNorm } from '../../layers/batch-norm.ts'
import { Dropout } from '../../layers/dropout.ts'
import { Embedding } from '../../layers/embedding.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import { LastStep } from '../../layers/last-step.ts'
import type { Layer } from '../../layers/layer.ts'
import { Linear } from '../../layers/linear.ts'
import { LayerNorm } from '../../layers/normalization.ts'
import { Flatten, Reverse } from '../../layers/steps.ts'
import { type Axis, reshapedAxes } from './axes.ts'
import type { Chain } from './chain.ts'
import { axesOf, axisOf } from './operators/operator.ts'
import { recurrentTranslations } from './recurrent-layers.ts'
import { add, addToItems, type Context, fill, floatType, Step, type Translate } from './step.ts'
import { isFloat, type Value } from './values.ts'
import { windowTranslations } from './window-layers.ts'

const selu = { alpha: 1.6732631921768188, gamma: 1.0507010221481323 }

/**
 * Adds the layers of a chain to `layers`.
 *
 * @returns what the axes of the last value are
 */
export function buildLayers(
  chain: Chain,
  axes: readonly Axis[],
  { layers, ...context }: Context & { layers: Layer[] },
): readonly Axis[] {
  let current = axes
  for (const link of chain.links) {
    const step = new Step(link, current, layers, context)
    const translate = translations[link.node.opType]
    if (!translate) step.refuse('no layer computes this')
    current = translate(step)
    if (current.length !== step.target.length)
      step.refuse(`its axes ${current} have the shape [${step.target}]`)
  }
  return current
}

/** Operators that are an activation, with ONNX's numbers in the order of alpha and beta. */
const activations: Record<string, readonly [kind: ActivationKind, alpha?: number, beta?: number]> = {
  Elu: ['elu', 1],
  Exp: ['exponential'],
  HardSigmoid: ['hardSigmoid', 0.2, 0.5],
  HardSwish: ['hardSilu'],
  LeakyRelu: ['leakyRelu', 0.01],
  Mish: ['mish'],
  Relu: ['relu'],
  Sigmoid: ['sigmoid'],
  Softplus: ['softplus'],
  Softsign: ['softsign'],
  Tanh: ['tanh'],
}

const translations: Record<string, Translate> = {
  ...recurrentTranslations,
  ...windowTranslations,
  ...Object.fromEntries(
    Object.entries(activations).map(([name, [kind, alpha, beta]]): [string, Translate] => [
      name,
      (step) => {
        const numbers: ActivationNumbers = {}
        if (alpha !== undefined) numbers.alpha = step.call.number('alpha', alpha)
        if (beta !== undefined) numbers.beta = step.call.number('beta', beta)
        return add(step, activation(kind, numbers))
      },
    ]),
  ),
  Selu: (step) =>
    Math.abs(step.call.number('alpha', selu.alpha) - selu.alpha) +
      Math.abs(step.call.number('gamma', selu.gamma) - selu.gamma) <
    1e-6
      ? add(step, activation('selu'))
      : step.refuse('its numbers are not those of Klambauer et al. 2017'),
  Swish: (step) =>
    step.call.number('alpha', 1) === 1 ? add(step, activation('silu')) : step.refuse('its alpha is not 1'),
  Gelu: (step) =>
    add(step, activation(step.call.text('approximate', 'none') === 'tanh' ? 'geluTanh' : 'gelu')),
  Clip(step) {
    const low = step.call.inputs[1]?.data[0] ?? step.call.number('min', Number.NEGATIVE_INFINITY)
    const high = step.call.inputs[2]?.data[0] ?? step.call.number('max', Number.POSITIVE_INFINITY)
    if (low !== 0 || high !== 6) step.refuse(`no layer keeps numbers within ${low} and ${high}`)
    return add(step, activation('relu6'))
  },
  Softmax: (step) => softmax(step, 'softmax'),
  LogSoftmax: (step) => softmax(step, 'logSoftmax'),
  Identity: ({ axes }) => axes,
  Cast: (step) =>
    step.call.integer('to', 0) === 1 || !isFloat(step.call.input(0))
      ? step.axes
      : step.refuse('no layer converts between types'),
  Dropout(step) {
    const probability = step.call.inputs[1]?.data[0] ?? step.call.number('ratio', 0.5)
    return probability > 0 ? add(step, new Dropout({ probability })) : step.axes
  },
  Transpose(step) {
    const order = step.call.integers('perm') ?? step.axes.map((_, i) => i).reverse()
    return order.map((axis) => step.axes[axis])
  },
  Squeeze(step) {
    const asked = step.call.integersOf(1) ?? step.call.integers('axes')
    const removed = asked
      ? axesOf(asked, step.shape.length)
      : step.shape.flatMap((n, axis) => (n === 1 ? [axis] : []))
    return step.axes.filter((axis, i) => {
      if (removed.includes(i) && axis !== '1' && axis !== 'd') step.refuse(`it removes the axis ${axis}`)
      return !removed.includes(i)
    })
  },
  Unsqueeze(step) {
    const asked = step.call.integersOf(1) ?? step.call.integers('axes') ?? []
    const axes = [...step.axes]
    for (const axis of axesOf(asked, step.target.length)) axes.splice(axis, 0, '1')
    return axes
  },
  Reshape: reshape,
  Flatten: reshape,
  Gather: gather,
  Slice: sliceTime,
  MatMul(step) {
    if (step.link.input !== 0) step.refuse('the sequence is its second factor')
    const isOfImage = step.requireFeaturesLast({ ofImages: true })
    const weight = step.weight(1)
    if (weight.shape.length !== 2) step.refuse(`expected a matrix, got [${weight.shape}]`)
    return addLinear(step, linear(weight, { isTransposed: false }), isOfImage)
  },
  Gemm(step) {
    const { call, link } = step
    const isOfImage = step.requireFeaturesLast({ ofImages: true })
    if (link.input !== 0 || call.integer('transA', 0)) step.refuse('the sequence is not its first factor')
    const bias = call.inputs[2] && call.number('beta', 1) !== 0 ? step.weight(2) : undefined
    const layer = linear(step.weight(1), { isTransposed: call.integer('transB', 0) !== 0, bias })
    layer.weight.array.forEach((n, i, all) => {
      all[i] = n * call.number('alpha', 1)
    })
    layer.bias?.array.forEach((n, i, all) => {
      all[i] = n * call.number('beta', 1)
    })
    return addLinear(step, layer, isOfImage)
  },
  Add: addBias,
  LayerNormalization(step) {
    step.requireFeaturesLast()
    if (axisOf(step.call.integer('axis', -1), step.axes.length) !== step.axes.length - 1) {
      step.refuse('it normalises more than the last axis')
    }
    const gain = step.weight(1)
    const F = step.shape.at(-1)!
    const layer = new LayerNorm({
      size: F,
      eps: step.call.number('epsilon', 1e-5),
      dataType: floatType(gain),
    })
    fill(layer.weight, gain.data)
    if (step.call.inputs[2]) fill(layer.bias, step.weight(2).data)
    return add(step, layer)
  },
  BatchNormalization: batchNorm,
}

function linear(weight: Value, { isTransposed, bias }: { isTransposed: boolean; bias?: Value }): Linear {
  const [outputSize, inputSize] = isTransposed ? weight.shape : weight.shape.toReversed()
  const options = { inputSize, outputSize, bias: bias !== undefined, dataType: floatType(weight) }
  const layer = withoutInitialValues(() => new Linear(options))
  const to = layer.weight.array
  for (let o = 0; o < outputSize; o++) {
    for (let i = 0; i < inputSize; i++) {
      to[o * inputSize + i] = weight.data[isTransposed ? o * inputSize + i : i * outputSize + o]
    }
  }
  if (bias) fill(layer.bias!, bias.data)
  return layer
}

function addLinear(step: Step, layer: Linear, isOfImage: boolean): readonly Axis[] {
  if (isOfImage) step.turnImages(layer.weight.array as FloatArray)
  return add(step, layer).with(-1, 'f')
}

/** A vector added to a product is its bias. */
function addBias(step: Step): readonly Axis[] {
  const before = step.layers.at(-1)
  const bias = step.weight(1 - step.link.input)
  const F = step.shape.at(-1)!
  step.requireFeaturesLast()
  if (!(before instanceof Linear) || before.bias || bias.data.length !== F || bias.shape.at(-1) !== F) {
    step.refuse('it adds something else than the bias of a Linear layer')
  }
  const options = { inputSize: before.weight.shape[1], outputSize: F, dataType: floatType(bias) }
  const layer = withoutInitialValues(() => new Linear(options))
  fill(layer.weight, before.weight.array)
  fill(layer.bias!, bias.data)
  step.layers.splice(-1, 1, layer)
  return step.axes
}

function softmax(step: Step, kind: 'softmax' | 'logSoftmax'): readonly Axis[] {
  step.requireFeaturesLast()
  const axis = axisOf(step.call.integer('axis', step.call.opset < 13 ? 1 : -1), step.axes.length)
  if (axis !== step.axes.length - 1) step.refuse('it runs along another axis than the features')
  return add(step, activation(kind))
}

function reshape(step: Step): readonly Axis[] {
  const result = reshapedAxes(step, step.target)
  if (!result) return step.refuse(`[${step.shape}] (${step.axes}) becomes [${step.target}]`)
  if (result.flattened) addToItems(step, new Flatten())
  if (result.axes.includes('c') && !step.axes.includes('c')) {
    const image: readonly Axis[] = ['f', 'h', 'w']
    step.context.progress.image = image.map((axis) => step.shape[step.axes.indexOf(axis)])
  }
  return result.axes
}

/** A row of a table for each symbol, or one step of a sequence. */
function gather(step: Step): readonly Axis[] {
  const axis = axisOf(step.call.integer('axis', 0), step.call.input(0).shape.length)
  if (step.link.input === 1) {
    const table = step.weight(0)
    if (axis !== 0 || table.shape.length !== 2)
      step.refuse(`expected the rows of a matrix, got [${table.shape}]`)
    const [vocabularySize, embeddingSize] = table.shape
    const options = { vocabularySize, embeddingSize, dataType: floatType(table) }
    const layer = withoutInitialValues(() => new Embedding(options))
    fill(layer.weight, table.data)
    step.layers.push(layer)
    return [...step.axes, 'f']
  }
  const { index } = step.link
  if (index === undefined) return step.refuse('it picks several places')
  const kept = step.call.input(1).shape.map((): Axis => '1')
  return step.axes.toSpliced(axis, 1, ...(pick(step, axis, index) ? kept : []))
}

/** Only the last step, `x[:, -1:]`, or all backwards. */
function sliceTime(step: Step): readonly Axis[] {
  const { call, shape, target, axes } = step
  const steps = call.integersOf(4) ?? []
  const changed = shape.flatMap((n, axis) => (n !== target[axis] ? [axis] : []))
  const starts = call.integersOf(1) ?? call.integers('starts') ?? []
  const order = call.integersOf(3) ?? call.integers('axes') ?? starts.map((_, i) => i)
  if (String(steps) === '-1' && changed.length === 0 && axes[axisOf(order[0], shape.length)] === 't') {
    return add(step, new Reverse())
  }
  if (steps.some((n) => n !== 1)) step.refuse('it takes steps other than 1')
  if (changed.length === 0) return axes
  const [axis] = changed
  const at = order.findIndex((each) => axisOf(each, shape.length) === axis)
  const n = shape[axis]
  if (changed.length > 1 || target[axis] !== 1) step.refuse(`[${shape}] becomes [${target}]`)
  pick(step, axis, starts[at] < 0 ? starts[at] + n : starts[at])
  return axes.with(axis, '1')
}

/** Adds the layer that one index of an axis is. */
function pick(step: Step, axis: number, index: number): true {
  const label = step.axes[axis]
  const n = step.shape[axis]
  if (label === 't' && index === n - 1) step.layers.push(new LastStep())
  else if (n !== 1 || (label !== 'd' && label !== '1'))
    step.refuse(`it picks ${index} of ${n} along the axis ${label}`)
  return true
}

/** With the statistics of the training; its momentum is the part that stays. */
function batchNorm(step: Step): readonly Axis[] {
  const { call, axes } = step
  if (axes[1] !== 'f' && axes[1] !== 'c') step.refuse(`expected the features on the second axis, got ${axes}`)
  const [gain, ...others] = [1, 2, 3, 4].map((i) => step.weight(i))
  const layer = new BatchNorm({
    size: gain.data.length,
    eps: call.number('epsilon', 1e-5),
    // Of a float32, whose complement has digits that nobody meant.
    momentum: Number((1 - call.number('momentum', 0.9)).toPrecision(6)),
    dataType: floatType(gain),
  })
  const tensors = [layer.weight, layer.bias, layer.running_mean, layer.running_var]
  for (const [i, { data }] of [gain, ...others].entries()) {
    fill(tensors[i], data)
    if (axes[1] === 'c') step.turnImages(tensors[i].array as FloatArray)
  }
  return axes.length > 2 ? addToItems(step, layer) : add(step, layer)
}
