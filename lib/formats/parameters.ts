/** From the tensors of a file to the parameters of a model: all of them fit, or none is touched. */
import { FileFormatError, nearestName } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import type { SafetensorsFile, TensorInfo } from './safetensors/index.ts'

/** Parameters, and buffers, under the names of their tensors in a file. */
export type NamedParameters = ReadonlyMap<string, Tensor>

type Stored = Pick<TensorInfo, 'shape' | 'dataType'>

const floatTypes = ['F64', 'F32', 'F16', 'BF16']

/**
 * Makes sure that tensors and parameters have the same names and shapes.
 *
 * @param explain why a tensor that no parameter takes may be there
 * @throws {FileFormatError} MissingTensor, UnexpectedTensor, ShapeMismatch or UnsupportedDataType, for the first that
 *   does not fit, with the nearest name where one is missing
 */
export function matchParameters(
  path: string,
  parameters: ReadonlyMap<string, { shape: readonly number[] }>,
  tensors: ReadonlyMap<string, Stored>,
  explain: (tensor: string) => string | undefined = () => undefined,
): void {
  const fail = (code: string, tensor: string, message: string): never => {
    throw new FileFormatError(`${path}: tensor ${JSON.stringify(tensor)} ${message}`, { code, path, tensor })
  }
  const fix = 'build the model with the layers and options it was saved with'
  for (const name of parameters.keys()) {
    if (tensors.has(name)) continue
    const strangers = [...tensors.keys()].filter((each) => !parameters.has(each))
    fail('MissingTensor', name, `is missing in the file${hint(name, strangers)}; ${fix}`)
  }
  for (const name of tensors.keys()) {
    if (parameters.has(name)) continue
    const nearest = hint(name, [...parameters.keys()])
    fail('UnexpectedTensor', name, `is no parameter of the model${nearest}; ${explain(name) ?? fix}`)
  }
  for (const [name, { shape }] of parameters) {
    const stored = tensors.get(name)!
    if (String(stored.shape) !== String(shape)) {
      const sizes = `has shape [${stored.shape}], the model's parameter [${shape}]`
      fail('ShapeMismatch', name, `${sizes}; give the layer the same sizes`)
    }
    if (!floatTypes.includes(stored.dataType)) {
      const fix = 'store floating-point numbers'
      fail('UnsupportedDataType', name, `has elements of type ${stored.dataType}; ${fix}`)
    }
  }
}

/** Reads tensors that `matchParameters` found right into their parameters. */
export async function readParameters(file: SafetensorsFile, parameters: NamedParameters): Promise<void> {
  const read = async ([name, parameter]: [string, Tensor]) => {
    try {
      await file.readInto(name, parameter.array as FloatArray)
    } finally {
      parameter.touch()
    }
  }
  await Promise.all([...parameters].map(read))
}

function hint(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return nearest ? `; the nearest is ${JSON.stringify(nearest)}` : ''
}
