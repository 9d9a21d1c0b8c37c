/** `lstm inspect`: what a model file of any format holds. */
import { detectFormat } from '../detect.ts'
import type { Inspection } from './inspection.ts'

export type { Inspection, LayerRow, Port, TensorRow } from './inspection.ts'

/**
 * Looks into a file of any format that can be read: layers, tensors, inputs and outputs, metadata and, for weights that tell
 * no layers, a proposal.
 *
 * @param path a file, or the folder of a model of TensorFlow.js
 * @throws {FileFormatError} if it is of none of the formats, or damaged
 */
export async function inspect(path: string): Promise<Inspection> {
  const format = await detectFormat(path)
  if (format === 'onnx') return (await import('./onnx.ts')).inspectOnnx(path)
  if (format === 'tfjs') return (await import('./tfjs.ts')).inspectTfjs(path)
  if (format === 'keras' || format === 'hdf5') return (await import('./keras.ts')).inspectKeras(path)
  return (await import('./safetensors.ts')).inspectSafetensors(path)
}
