/** Layers along the time axis that convolutions, pools and reductions of a chain are. */
import { Conv1d } from '../../layers/convolution.ts'
import { withoutInitialValues } from '../../layers/initialisation.ts'
import { AveragePool1d, GlobalAveragePool1d, GlobalMaxPool1d, MaxPool1d } from '../../layers/pooling.ts'
import type { Axis } from './axes.ts'
import { axesOf } from './operators/operator.ts'
import { add, fill, floatType, type Step, type Translate } from './step.ts'

export const windowTranslations: Record<string, Translate> = {
  Conv(step) {
    step.requireAxes('b', 'f', 't')
    const weight = step.weight(1)
    const bias = step.call.inputs[2] && step.weight(2)
    const [outputChannels, perGroup, kernelSize] = weight.shape
    const groups = step.call.integer('group', 1)
    const { stride, dilation, padding } = windowOf(step, kernelSize)
    const options = { outputChannels, inputChannels: perGroup * groups, kernelSize, stride, dilation, groups }
    const layer = withoutInitialValues(
      () => new Conv1d({ ...options, padding, bias: bias !== undefined, dataType: floatType(weight) }),
    )
    fill(layer.weight, weight.data)
    if (bias) fill(layer.bias!, bias.data)
    return add(step, layer)
  },
  MaxPool: (step) => add(step, new MaxPool1d(poolOf(step))),
  AveragePool(step) {
    const countPadding = step.call.integer('count_include_pad', 0) !== 0
    return add(step, new AveragePool1d({ ...poolOf(step), countPadding }))
  },
  GlobalAveragePool: (step) => overTime(step, new GlobalAveragePool1d()),
  GlobalMaxPool: (step) => overTime(step, new GlobalMaxPool1d()),
  ReduceMean: (step) => reduce(step, new GlobalAveragePool1d()),
  ReduceMax: (step) => reduce(step, new GlobalMaxPool1d()),
}

function overTime(step: Step, layer: GlobalAveragePool1d | GlobalMaxPool1d): readonly Axis[] {
  step.requireAxes('b', 'f', 't')
  step.layers.push(layer)
  return ['b', 'f', '1']
}

function reduce(step: Step, layer: GlobalAveragePool1d | GlobalMaxPool1d): readonly Axis[] {
  const { call, axes } = step
  const reduced = axesOf(call.integersOf(1) ?? call.integers('axes') ?? [], axes.length)
  if (reduced.length !== 1 || axes[reduced[0]] !== 't') step.refuse('it runs over other axes than time')
  step.layers.push(layer)
  return call.integer('keepdims', 1) ? axes.with(reduced[0], '1') : axes.toSpliced(reduced[0], 1)
}

function poolOf(step: Step): { size: number; stride: number; padding: number | 'same' } {
  step.requireAxes('b', 'f', 't')
  const [size] = step.call.integers('kernel_shape') ?? []
  const { stride, dilation, padding } = windowOf(step, size)
  if (padding === 'causal') return step.refuse('no pool has all its padding before the sequence')
  // Partial windows at the end matter only where the steps do not divide evenly: that is not known here.
  if (dilation !== 1 || step.call.integer('ceil_mode', 0))
    step.refuse('no layer has its dilations or ceil_mode')
  return { size, stride, padding }
}

function windowOf(
  { call, refuse }: Step,
  size: number,
): { stride: number; dilation: number; padding: number | 'same' | 'causal' } {
  const [stride = 1] = call.integers('strides') ?? []
  const [dilation = 1] = call.integers('dilations') ?? []
  const auto = call.text('auto_pad', 'NOTSET')
  if (auto === 'SAME_UPPER') return { stride, dilation, padding: 'same' }
  if (auto === 'VALID') return { stride, dilation, padding: 0 }
  const [before = 0, after = 0] = call.integers('pads') ?? []
  const width = (size - 1) * dilation
  if (auto === 'NOTSET' && before === after) return { stride, dilation, padding: before }
  if (auto === 'NOTSET' && after === 0 && before === width) return { stride, dilation, padding: 'causal' }
  const isSame = stride === 1 && before === Math.floor(width / 2) && after === width - before
  if (auto === 'NOTSET' && isSame) return { stride, dilation, padding: 'same' }
  return refuse(`no layer has the padding ${auto === 'NOTSET' ? [before, after] : auto}`)
}
