/** Whether a model that came of a changed file is a right one: its parameters are as they say, and it runs or says why not. */
import { FileFormatError } from '../../lib/errors.ts'
import type { OnnxModel } from '../../lib/formats/onnx/index.ts'
import { type Layer, type LayerConfig, tensorsOf } from '../../lib/layers/layer.ts'
import { noGrad } from '../../lib/tape.ts'
import { type DataType, Tensor } from '../../lib/tensor.ts'

/** Elements of an input that a run is tried with: how much a run takes is up to whoever gives it more. */
const mostElements = 2000

export function checkLayers(model: Layer): void {
  let dataType: DataType = 'float32'
  for (const [name, parameter] of tensorsOf(model)) {
    checkTensor(name, parameter)
    dataType = parameter.dataType
  }
  const x = inputFor(model, dataType)
  if (!x) return
  run(() => {
    const result = noGrad(() => model.forward(x))
    checkTensor('output', 'output' in result ? result.output : result)
  })
}

export function checkGraph(model: OnnxModel): void {
  const feeds = new Map<string, Tensor>()
  for (const { name, shape, dataType } of model.inputs) {
    const sizes = (shape ?? [2]).map((n) => (typeof n === 'number' ? n : 2))
    const type = dataType === 'float32' || dataType === 'float64' ? dataType : 'int32'
    if (sizes.reduce((product, n) => product * n, 1) > mostElements) return
    feeds.set(name, zeros(sizes, type))
  }
  run(() => {
    for (const [name, output] of model.run(feeds)) checkTensor(name, output)
  })
}

/** A model that is refused its input says so in a message that names the place, as the package's own errors do. */
function run(call: () => void): void {
  try {
    call()
  } catch (error) {
    const isTyped = error instanceof TypeError || error instanceof RangeError
    const isOurs = isTyped && /^[A-Za-z1][\w.]*( \w+)?: |expected .* got /s.test(error.message)
    if (!isOurs && !(error instanceof FileFormatError)) throw error
  }
}

function checkTensor(
  name: string,
  { shape, array }: { shape: readonly number[]; array: ArrayLike<number> },
): void {
  const size = shape.reduce((product, n) => product * n, 1)
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || size !== array.length)
    throw new Error(`${name} has shape [${shape}] and ${array.length} elements`)
}

/** An input of the sizes that the first layer says it takes. */
function inputFor(model: Layer, dataType: DataType): Tensor | undefined {
  const first = firstOf(model.config())
  if (first?.type === 'Embedding') return zeros([1, 4], 'int32')
  const width = [first?.inputSize, first?.inputChannels, first?.inputFeatures, first?.size].find(
    (each) => typeof each === 'number',
  ) as number | undefined
  if ((width ?? 2) * 8 > mostElements) return undefined
  const places = first?.type === 'LSTMCell' ? [] : first?.type === 'Conv2d' ? [6, 5] : [8]
  const steps = isAtEveryStep(model.config()) && first?.type === 'Conv2d' ? [3] : []
  return zeros([1, ...steps, ...places, width ?? 2], dataType)
}

function isAtEveryStep(config: LayerConfig | undefined): boolean {
  if (config?.type === 'Sequential') return isAtEveryStep((config.layers as LayerConfig[])[0])
  return config?.type === 'TimeDistributed'
}

function firstOf(config: LayerConfig | undefined): LayerConfig | undefined {
  if (config?.type === 'TimeDistributed') return firstOf(config.layer as LayerConfig)
  return config?.type === 'Sequential' ? firstOf((config.layers as LayerConfig[])[0]) : config
}

function zeros(shape: readonly number[], dataType: DataType): Tensor {
  const size = shape.reduce((product, n) => product * n, 1)
  const array = { float32: Float32Array, float64: Float64Array, int32: Int32Array }[dataType]
  return new Tensor(shape, new array(size))
}
