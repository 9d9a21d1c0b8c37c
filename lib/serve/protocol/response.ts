/** The answer to an inference request: JSON, with the bytes of binary tensors behind it. */
import { RequestError } from '../request-error.ts'
import type { RequestedOutput } from './request.ts'

type Floats = Float32Array | Float64Array

export interface OutputTensors {
  readonly y: { readonly shape: readonly number[]; readonly data: Floats }
  readonly state?: { readonly shape: readonly number[]; readonly data: Floats }
}

export interface EncodedResponse {
  /** Text of a JSON answer, which goes out in one piece with its headers; or all bytes of a binary one. */
  readonly body: string | Buffer
  /** Bytes of the JSON where tensors follow it. */
  readonly headerLength?: number
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
  const binary: Floats[] = []
  for (let i = 0; i < outputs.length; i++) {
    const { name, isBinary } = outputs[i]
    const { shape, data } = tensors[name]!
    const datatype = data instanceof Float64Array ? 'FP64' : 'FP32'
    text += `${i === 0 ? '' : ','}{"name":"${name}","datatype":"${datatype}","shape":[${shape.join(',')}],`
    if (isBinary) {
      text += `"parameters":{"binary_data_size":${data.byteLength}}}`
      binary.push(data)
    } else text += `"data":[${numbersOf(name, data)}]}`
  }
  text += ']}'
  return binary.length > 0 ? withBytes(text, binary) : { body: text }
}

function withBytes(text: string, tensors: readonly Floats[]): EncodedResponse {
  const headerLength = Buffer.byteLength(text)
  const length = tensors.reduce((sum, { byteLength }) => sum + byteLength, headerLength)
  const body = Buffer.allocUnsafe(length)
  body.write(text)
  let position = headerLength
  for (const { buffer, byteOffset, byteLength } of tensors) {
    body.set(new Uint8Array(buffer, byteOffset, byteLength), position)
    position += byteLength
  }
  return { body, headerLength }
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
