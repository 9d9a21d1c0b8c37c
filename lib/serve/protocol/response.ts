/** The answer to an inference request: JSON, with the bytes of binary tensors behind it. */
import { RequestError } from '../request-error.ts'
import type { RequestedOutput } from './request.ts'

type Floats = Float32Array | Float64Array

export interface OutputTensors {
  readonly y: { readonly shape: readonly number[]; readonly data: Floats }
  readonly state?: { readonly shape: readonly number[]; readonly data: Floats }
}

export interface EncodedResponse {
  readonly text: string
  /** What follows the text, and makes the answer a binary one. */
  readonly tensors: readonly Uint8Array[]
}

/**
 * @param start the answer's JSON up to its outputs: `{"model_name":"sunspots","model_version":"1"`
 * @throws {RequestError} if a number to be written in JSON is not finite, for JSON has no word for it
 */
export function encodeResponse(
  start: string,
  outputs: readonly RequestedOutput[],
  tensors: OutputTensors,
): EncodedResponse {
  let text = `${start},"outputs":[`
  const binary: Uint8Array[] = []
  for (let i = 0; i < outputs.length; i++) {
    const { name, isBinary } = outputs[i]
    const { shape, data } = tensors[name]!
    const datatype = data instanceof Float64Array ? 'FP64' : 'FP32'
    text += `${i === 0 ? '' : ','}{"name":"${name}","datatype":"${datatype}","shape":[${shape.join(',')}],`
    if (isBinary) {
      text += `"parameters":{"binary_data_size":${data.byteLength}}}`
      binary.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    } else text += `"data":[${numbersOf(name, data)}]}`
  }
  text += ']}'
  return { text, tensors: binary }
}

function numbersOf(name: string, data: Floats): string {
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) {
      throw new RequestError(
        500,
        `output ${name}: the model gave ${data[i]} at element ${i}, which JSON cannot say; ask for binary_data`,
        { outcome: 'error' },
      )
    }
  }
  return data.join(',')
}
