/** Layers along the time axis, or over images, that convolutions, pools and reductions of a chain are. */
import { Conv1d } from '../../layers/convolution.ts'
import { Conv2d } from '../../layers/convolution2d.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import type { Layer } from '../../layers/layer.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../../layers/pooling.ts'
import { AveragePool2d, GlobalAveragePool2d, GlobalMaxPool2d, MaxPool2d } from '../../layers/pooling2d.ts'
import type { Axis } from './axes.ts'
import { axesOf } from './operators/operator.ts'
import { addToItems, fill, floatType, type Step, type Translate } from './step.ts'

export const windowTranslations: Record<string, Translate> = {
  Conv(step) {
    const isImage = requirePlaces(step)
    const weight = step.weight(1)
    const bias = step.call.inputs[2] && step.weight(2)
    const [outputChannels, perGroup, ...kernel] = weight.shape
    const groups = step.call.integer('group', 1)
    const windows = kernel.map((size, axis) => windowOf(step, size, { axis, axes: kernel.length }))
    const [inputHeight, inputWidth] = takeSize(step)
    const options = { outputChannels, inputChannels: perGroup * groups, groups, bias: bias !== undefined }
    const dataType = floatType(weight)
    const layer = withoutInitialValues(() =>
      isImage
        ? new Conv2d({
            ...{ ...options, ...pairsOf(windows), kernelSize: [kernel[0], kernel[1]] },
            ...{ inputHeight, inputWidth, dataType },
          })
        : new Conv1d({ ...options, ...windows[0], kernelSize: kernel[0], dataType }),
    )
    fill(layer.weight, weight.data)
    if (bias) fill(layer.bias!, bias.data)
    return addToItems(step, layer)
  },
  MaxPool(step) {
    const { one, two } = poolOf(step)
    return addToItems(step, two ? new MaxPool2d(two) : new MaxPool1d(one))
  },
  AveragePool(step) {
    const countPadding = step.call.integer('count_include_pad', 0) !== 0
    const { one, two } = poolOf(step)
    const layer = two
      ? new AveragePool2d({ ...two, countPadding })
      : new AveragePool1d({ ...one, countPadding })
    return addToItems(step, layer)
  },
  GlobalAveragePool: (step) => overAll(step, averages),
  GlobalMaxPool: (step) => overAll(step, maxima),
  ReduceMean: (step) => reduce(step, averages),
  ReduceMax: (step) => reduce(step, maxima),
}

/** A layer over steps, and one over rows and columns. */
type Pair = readonly [() => Layer, () => Layer]
const averages: Pair = [() => new GlobalAveragePool1d(), () => new GlobalAveragePool2d()]
const maxima: Pair = [() => new GlobalMaxPool1d(), () => new GlobalMaxPool2d()]

/** Channels before steps, or before rows and columns. @returns whether it is the latter */
function requirePlaces(step: Step): boolean {
  const isImage = step.axes.includes('h')
  if (!isImage) step.requireAxes('b', 'f', 't')
  else step.requireAxes(step.isOnSteps ? step.axes[0] : 'b', 'f', 'h', 'w')
  return isImage
}

/** What `compile` has to be told where the layer is the first: see `Conv2d`. */
function takeSize({ context: { progress } }: Step): readonly (number | undefined)[] {
  const { size = [] } = progress
  progress.size = undefined
  return size
}

function overAll(step: Step, [overSteps, overImages]: Pair): readonly Axis[] {
  const isImage = requirePlaces(step)
  addToItems(step, isImage ? overImages() : overSteps())
  return step.axes.map((axis, i) => (i < 2 ? axis : '1'))
}

function reduce(step: Step, [overSteps, overImages]: Pair): readonly Axis[] {
  const { call, axes } = step
  const reduced = axesOf(call.integersOf(1) ?? call.integers('axes') ?? [], axes.length)
  const names = reduced.map((axis) => axes[axis]).join('')
  if (names !== 't' && names !== 'hw') step.refuse('it runs over other axes than time, or rows and columns')
  addToItems(step, names === 't' ? overSteps() : overImages())
  if (call.integer('keepdims', 1)) return axes.map((axis, i) => (reduced.includes(i) ? '1' : axis))
  return axes.filter((_, i) => !reduced.includes(i))
}

interface Pool {
  size: number
  stride: number
  padding: number | 'same'
}

/** The options of the layer over steps, and where there are rows and columns, of that over images. */
function poolOf(step: Step): {
  one: Pool
  two?: { [Name in keyof Pool]: readonly [Pool[Name], Pool[Name]] }
} {
  const isImage = requirePlaces(step)
  takeSize(step)
  const kernel = step.call.integers('kernel_shape') ?? []
  // Partial windows at the end matter only where the steps do not divide evenly: that is not known here.
  if (step.call.integer('ceil_mode', 0)) step.refuse('no layer has its ceil_mode')
  const pools = kernel.map((size, axis): Pool => {
    const { stride, dilation, padding } = windowOf(step, size, { axis, axes: kernel.length })
    if (padding === 'causal') return step.refuse('no pool has all its padding before the sequence')
    if (dilation !== 1) step.refuse('no pool has its dilations')
    return { size, stride, padding }
  })
  const [one, other] = pools
  if (!isImage) return { one }
  const pair = <Name extends keyof Pool>(name: Name) => [one[name], other[name]] as const
  return { one, two: { size: pair('size'), stride: pair('stride'), padding: pair('padding') } }
}

interface Window {
  stride: number
  dilation: number
  padding: number | 'same' | 'causal'
}

function pairsOf([rows, columns]: readonly Window[]) {
  const pair = <Name extends keyof Window>(name: Name): [Window[Name], Window[Name]] => [
    rows[name],
    columns[name],
  ]
  return { stride: pair('stride'), dilation: pair('dilation'), padding: pair('padding') }
}

function windowOf(step: Step, size: number, { axis, axes }: { axis: number; axes: number }): Window {
  const { call } = step
  const stride = call.integers('strides')?.[axis] ?? 1
  const dilation = call.integers('dilations')?.[axis] ?? 1
  const auto = call.text('auto_pad', 'NOTSET')
  if (auto === 'SAME_UPPER') return { stride, dilation, padding: 'same' }
  if (auto === 'VALID') return { stride, dilation, padding: 0 }
  const pads = call.integers('pads')
  const [before, after] = [pads?.[axis] ?? 0, pads?.[axis + axes] ?? 0]
  const width = (size - 1) * dilation
  if (auto === 'NOTSET' && before === after) return { stride, dilation, padding: before }
  if (auto === 'NOTSET' && after === 0 && before === width) return { stride, dilation, padding: 'causal' }
  const isSame = stride === 1 && before === Math.floor(width / 2) && after === width - before
  if (auto === 'NOTSET' && isSame) return { stride, dilation, padding: 'same' }
  return step.refuse(`no layer has the padding ${auto === 'NOTSET' ? [before, after] : auto}`)
}
