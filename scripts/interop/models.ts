/** Loads models and runs them on what was recorded for them. */
import { FileFormatError } from '../../lib/errors.ts'
import { loadKeras } from '../../lib/formats/keras/index.ts'
import { loadOnnx, type OnnxModel } from '../../lib/formats/onnx/index.ts'
import { loadTfjs } from '../../lib/formats/tfjs/index.ts'
import { compile, type Plan } from '../../lib/inference/plan.ts'
import { Embedding } from '../../lib/layers/embedding.ts'
import { type Layer, type Model, parametersOf } from '../../lib/layers/layer.ts'
import { Sequential } from '../../lib/layers/sequential.ts'
import { transpose } from '../../lib/operations/shape.ts'
import { noGrad } from '../../lib/tape.ts'
import type { DataType, Tensor } from '../../lib/tensor.ts'
import {
  type Case,
  type Difference,
  difference,
  farthest,
  type Recorded,
  tolerance,
  toTensor,
  worst,
} from './case.ts'

/** A model that tells how far its outputs are from the recorded ones. */
export interface Loaded {
  run(recorded: Recorded): Difference
  /** The same of its frozen form, or undefined where it has none. */
  runCompiled(recorded: Recorded): Difference | undefined
}

export async function loadCase({ kind, path }: Case): Promise<Loaded> {
  if (kind === 'onnx') return new Graph(await loadOnnx(path))
  return new Stack(await (kind === 'tfjs' ? loadTfjs(path) : loadKeras(path)))
}

/** A model of Keras or tfjs: from `x` to `y`. */
class Stack implements Loaded {
  readonly #model: Layer

  constructor(model: Layer) {
    this.#model = model
  }

  run(recorded: Recorded): Difference {
    const result = noGrad(() => this.#model.forward(inputFor(this.#model, recorded, 'x')))
    return difference('y', 'output' in result ? result.output : result, required(recorded, 'y'))
  }

  runCompiled(recorded: Recorded): Difference | undefined {
    const x = inputFor(this.#model, recorded, 'x')
    const plan = planFor(this.#model, x)
    return plan && difference('y', plan.predictSync(x), required(recorded, 'y'))
  }
}

class Graph implements Loaded {
  readonly #model: OnnxModel

  constructor(model: OnnxModel) {
    this.#model = model
  }

  run(recorded: Recorded): Difference {
    const { inputs } = this.#model
    const feeds = new Map<string, Tensor>()
    for (const { name, dataType, shape, optional } of inputs) {
      if (optional && !recorded.has(name)) continue
      const type = dataType === 'float32' || dataType === 'float64' ? dataType : 'int32'
      feeds.set(name, toTensor(name, required(recorded, name), type, { isScalar: shape?.length === 0 }))
    }
    const expected = [...recorded].filter(([name]) => !inputs.some((input) => input.name === name))
    if (expected.length === 0) throw new Error('expected recorded outputs, got inputs only')
    const outputs = this.#model.run(feeds)
    return worst(
      expected.map(([name, stored]) => {
        const output = outputs.get(name)
        if (output) return difference(name, output, stored)
        throw new Error(`the model has no input or output ${JSON.stringify(name)}`)
      }),
    )
  }

  /** Where the graph is a stack of layers with a single input. */
  runCompiled(recorded: Recorded): Difference | undefined {
    const [input, ...others] = this.#model.inputs.filter(({ name }) => recorded.has(name))
    const [{ name: output }] = this.#model.outputs
    const stored = recorded.get(output)
    const model = input && others.length === 0 && stored && stackOf(this.#model)
    if (!model) return undefined
    const x = channelsLast(inputFor(model, recorded, input.name))
    const plan = planFor(model, x)
    if (!plan) return undefined
    const y = toTensor(output, stored, x.dataType === 'float64' ? 'float64' : 'float32')
    const asGiven = farthest(plan.predictSync(x).data, y.data)
    // A stack reads [B, T, ...] where a graph may have time first, and does not say so: the numbers do.
    if (asGiven <= tolerance) return { output, error: asGiven }
    const timeFirst = farthest(plan.predictSync(transpose(x, { axes: [0, 1] })).data, batchFirst(y).data)
    return { output, error: Number.isNaN(timeFirst) ? asGiven : timeFirst }
  }
}

function stackOf(model: OnnxModel): Sequential | undefined {
  try {
    return model.toModel()
  } catch (error) {
    if (error instanceof FileFormatError && error.code === 'NoStack') return undefined
    throw error
  }
}

/** The frozen model, if it has such a form, and that reads an x of these axes. */
function planFor(model: Layer, x: Tensor): Plan | undefined {
  let plan: Plan
  try {
    plan = compile(model)
  } catch (error) {
    // A layer without a frozen form, or a stack whose sizes are known with its input only.
    if (error instanceof TypeError || error instanceof RangeError) return undefined
    throw error
  }
  return x.shape.length > 3 || x.shape.length === (plan.inputSize > 0 ? 3 : 2) ? plan : undefined
}

/** Images [..., C, H, W] of a graph as [..., H, W, C]. */
function channelsLast(x: Tensor): Tensor {
  const C = x.shape.length - 3
  if (C < 1) return x
  return transpose(transpose(x, { axes: [C, C + 1] }), { axes: [C + 1, C + 2] })
}

/** [T, B, F] and the LSTM operator's [T, D, B, H] as [B, T, ...]; after the last step there is no time. */
function batchFirst(y: Tensor): Tensor {
  if (y.shape.length === 3) return transpose(y, { axes: [0, 1] })
  return y.shape.length === 4 ? transpose(transpose(y, { axes: [0, 2] }), { axes: [1, 2] }) : y
}

function inputFor(model: Layer, recorded: Recorded, name: string): Tensor {
  const [first] = parametersOf(model).values()
  const dataType: DataType = readsIndices(model) ? 'int32' : (first?.dataType ?? 'float32')
  return toTensor(name, required(recorded, name), dataType)
}

function readsIndices(model: Model): boolean {
  if (model instanceof Sequential) return model.layers.length > 0 && readsIndices(model.layers[0])
  return model instanceof Embedding
}

function required(recorded: Recorded, name: string) {
  const stored = recorded.get(name)
  if (stored) return stored
  const known = [...recorded.keys()].join(', ')
  throw new Error(`expected ${JSON.stringify(name)} among the recorded tensors, got ${known}`)
}
