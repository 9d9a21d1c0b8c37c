/** The answer to an inference request: JSON, with the bytes of binary tensors behind it. */
import { RequestError } from '../request-error.ts'

export interface ResponseTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array | Float64Array
  readonly isBinary: boolean
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
export function encodeResponse(start: string, tensors: readonly ResponseTensor[]): EncodedResponse {
  let text = `${start},"outputs":[`
  let binaryLength = 0
  for (let i = 0; i < tensors.length; i++) {
    const { name, shape, data, isBinary } = tensors[i]
    const datatype = data instanceof Float64Array ? 'FP64' : 'FP32'
    text += `${i === 0 ? '' : ','}{"name":"${name}","datatype":"${datatype}","shape":[${shape.join(',')}],`
    if (isBinary) {
      text += `"parameters":{"binary_data_size":${data.byteLength}}}`
      binaryLength += data.byteLength
    } else text += `"data":[${numbersOf(name, data)}]}`
  }
  text += ']}'
  const isBinary = tensors.some((tensor) => tensor.isBinary)
  return isBinary ? withBytes(text, binaryLength, tensors) : { body: text }
}

function withBytes(text: string, binaryLength: number, tensors: readonly ResponseTensor[]): EncodedResponse {
  const headerLength = Buffer.byteLength(text)
  const body = Buffer.allocUnsafe(headerLength + binaryLength)
  body.write(text)
  let position = headerLength
  for (const { data, isBinary } of tensors) {
    if (!isBinary) continue
    body.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position)
    position += data.byteLength
  }
  return { body, headerLength }
}

function numbersOf(name: string, data: Float32Array | Float64Array): string {
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
