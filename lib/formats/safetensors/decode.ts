/** Safetensors in memory: bytes to tensors. What the tensors mean is the caller's matter. */
import { type Fail, failIn, type Header, headerLength, parseHeader, type TensorInfo } from './header.ts'
import { decodeElements, isStoredType, type StoredArray, type StoredType, storedTypes } from './types.ts'

export interface StoredTensor {
  shape: readonly number[]
  /** The type in the file; F16 and BF16 are widened to a Float32Array, BOOL is a Uint8Array. */
  dataType: StoredType
  data: StoredArray
}

export interface Safetensors {
  metadata: Map<string, string>
  /** In the order of the tensors in the file. */
  tensors: Map<string, StoredTensor>
}

/**
 * The metadata and tensors of a file's bytes. A tensor's data is a view of the bytes where these are aligned, else a copy.
 * Everything is checked before any array is made; little-endian hosts only.
 *
 * @param path named in errors
 * @throws {FileFormatError} with `code`, and `tensor` where one is at fault, if anything at all is wrong
 */
export function decodeSafetensors(bytes: Uint8Array, path?: string): Safetensors {
  const fail = failIn(path)
  const end = 8 + headerLength(bytes.subarray(0, 9), bytes.length, fail)
  const header = parseHeader(bytes.subarray(8, end), bytes.length - end, fail)
  return decodeTensors(header, bytes.subarray(end), fail)
}

/** @param data all that follows the header */
export function decodeTensors({ metadata, tensors }: Header, data: Uint8Array, fail: Fail): Safetensors {
  const types = [...tensors].map(([name, info]) => requireStored(name, info, fail))
  const decoded = [...tensors].map(([name, { shape, start, end }], i) => {
    const dataType = types[i]
    return [name, { shape, dataType, data: decodeElements(dataType, data.subarray(start, end)) }] as const
  })
  return { metadata, tensors: new Map(decoded) }
}

/** The type of a tensor that is about to be read. @throws {FileFormatError} if no typed array can hold it */
export function requireStored(tensor: string, { dataType }: TensorInfo, fail: Fail): StoredType {
  if (isStoredType(dataType)) return dataType
  const fix = 'convert it to F32 or F16 where it was made'
  return fail('UnsupportedDataType', `expected one of ${storedTypes.join(', ')}, got ${dataType}; ${fix}`, {
    tensor,
  })
}
