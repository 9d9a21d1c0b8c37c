/** What an ONNX model holds. */
import { FileFormatError } from '../../errors.ts'
import { parametersOf } from '../../layers/layer.ts'
import { sizeOf } from '../../tensor.ts'
import { loadOnnx, type OnnxModel } from '../onnx/index.ts'
import type { Inspection, TensorRow } from './inspection.ts'
import { layerRows } from './layers.ts'
import { shown } from './metadata.ts'

const bytesOf: Readonly<Record<string, number>> = { bool: 1, float32: 4, float64: 8, int32: 4, int64: 8 }

export async function inspectOnnx(path: string): Promise<Inspection> {
  const model = await loadOnnx(path)
  const tensors = [...model.initializers].map(([name, { type, shape }]): TensorRow => {
    const parameters = sizeOf(shape)
    return { name, dataType: type, shape, parameters, bytes: parameters * bytesOf[type] }
  })
  return {
    format: `ONNX, opset ${model.opset}`,
    producer: model.producer || undefined,
    inputs: model.inputs,
    outputs: model.outputs,
    ...contentOf(model, tensors),
    tensors,
    metadata: shown(model.metadata),
  }
}

/** The layers of a stack, or the nodes of a graph that is none, where every float counts as a parameter. */
function contentOf(
  model: OnnxModel,
  tensors: readonly TensorRow[],
): Pick<Inspection, 'layers' | 'parameters' | 'problem'> {
  try {
    const stack = model.toModel()
    const sizes = [...parametersOf(stack)].map(([name, { size }]) => [name, size] as const)
    return { layers: layerRows(stack.config(), sizes), parameters: total(sizes.map(([, size]) => size)) }
  } catch (error) {
    if (!(error instanceof FileFormatError && error.code === 'NoStack')) throw error
    const floats = tensors.filter(({ dataType }) => dataType.startsWith('float'))
    return {
      layers: model.nodes.map(({ name, opType }) => ({ name, kind: opType, parameters: 0 })),
      parameters: total(floats.map(({ parameters }) => parameters)),
      problem: `it runs as a graph, and does not become layers: ${error.message}`,
    }
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0)
}
