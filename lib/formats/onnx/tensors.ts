/** Tensors in a file: TensorProto to values. Float16 and bfloat16 are widened to float32, in which they are computed with. */
import protobuf from 'protobufjs/light.js'
import { FileFormatError } from '../../errors.ts'
import { sizeOf } from '../../tensor.ts'
import { fromBinary16, fromBrainFloat } from '../safetensors/half.ts'
import { clampedInteger, type Fail, safeInteger } from './fail.ts'
import { dataTypes, type Int64, type TensorProto } from './schema.ts'
import { type ElementType, type Memory, requireRank, type Value, type ValueArray } from './values.ts'

/** The bytes of an external tensor. */
export type External = (tensor: TensorProto, length: number) => Uint8Array

const names = new Map<number, keyof typeof dataTypes>(
  Object.entries(dataTypes).map(([name, code]) => [code, name as keyof typeof dataTypes]),
)

const rawBytes = { float32: 4, float64: 8, int32: 4, int64: 8, bool: 1, float16: 2, bfloat16: 2 }

/** The type that values of a TensorProto.DataType have here. */
export function elementType(code: number, what: string, fail: Fail): ElementType {
  const name = names.get(code)
  if (!name) {
    const known = [...names].map(([number, each]) => `${each} (${number})`).join(', ')
    return fail('UnsupportedType', `${what}: data type ${code} is not supported; supported: ${known}`)
  }
  return name === 'float16' || name === 'bfloat16' ? 'float32' : name
}

/** A tensor's value: a view of the file where its bytes are aligned, else a copy. */
export function decodeTensor(
  tensor: TensorProto,
  { fail, memory, external }: { fail: Fail; memory: Memory; external: External },
): Value {
  const what = `tensor ${JSON.stringify(tensor.name)}`
  const refuse = (message: string): never =>
    fail('InvalidTensor', `${what}: ${message}`, { tensor: tensor.name })
  const type = elementType(tensor.dataType, what, fail)
  const stored = names.get(tensor.dataType)!
  const shape = tensor.dims.map((dim) => safeInteger(dim, what, fail))
  requireRank(shape.length)
  const length = sizeOf(shape)
  if (shape.some((n) => n < 0) || !Number.isSafeInteger(length * 8)) {
    refuse(`expected dimensions whose product is a length, got [${shape}]`)
  }

  const packed = stored === 'float32' ? 'floatData' : stored === 'float64' ? 'doubleData' : undefined
  const varints = packed ? undefined : stored === 'int64' ? 'int64Data' : 'int32Data'
  const isExternal = tensor.dataLocation === 1
  const pieces = tensor[packed ?? varints!]
  if (!isExternal && tensor.rawData.length === 0 && varints && pieces.length > 0) {
    // A varint is at least a byte: no array is made for numbers that cannot be there.
    const available = pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (length > available) refuse(`expected ${length} numbers, got at most ${available}`)
    const data = memory.array(type, shape)
    try {
      readVarints(pieces, data, { stored, refuse })
    } catch (error) {
      if (error instanceof FileFormatError) throw error
      refuse(`its numbers end in the middle of one: ${(error as Error).message}`)
    }
    return { type, shape, data }
  }
  const expected = length * rawBytes[stored]
  let bytes = tensor.rawData
  if (isExternal) bytes = external(tensor, expected)
  else if (bytes.length === 0 && pieces.length > 0)
    bytes = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces)
  if (bytes.length !== expected) {
    refuse(`expected ${expected} bytes for ${stored} [${shape}], got ${bytes.length}`)
  }
  const isAligned = rawBytes[stored] === 2 || bytes.byteOffset % rawBytes[stored] === 0
  return { type, shape, data: readers[stored](isAligned ? bytes : copied(bytes, memory), memory) }
}

function copied(bytes: Uint8Array, memory: Memory): Uint8Array {
  const copy = memory.array('bool', [bytes.length]) as Uint8Array
  copy.set(bytes)
  return copy
}

const readers: Record<keyof typeof dataTypes, (bytes: Uint8Array, memory: Memory) => ValueArray> = {
  float32: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  float64: (bytes) => new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8),
  int32: (bytes) => new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  int64(bytes, memory) {
    const source = new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)
    const data = memory.array('int64', [source.length])
    for (let i = 0; i < data.length; i++) data[i] = clampedInteger(Number(source[i]))
    return data
  },
  bool: (bytes) => (bytes.every((byte) => byte <= 1) ? bytes : bytes.map((byte) => (byte ? 1 : 0))),
  float16: (bytes, memory) => widened(bytes, fromBinary16, memory),
  bfloat16: (bytes, memory) => widened(bytes, fromBrainFloat, memory),
}

const pieceBytes = 2 ** 16

/** Half floats wherever they lie, copied a piece at a time. */
function widened(bytes: Uint8Array, widen: typeof fromBinary16, memory: Memory): ValueArray {
  const data = memory.array('float32', [bytes.length / 2])
  for (let at = 0; at < bytes.length; at += pieceBytes)
    data.set(widen(new Uint16Array(Uint8Array.from(bytes.subarray(at, at + pieceBytes)).buffer)), at / 2)
  return data
}

/** Fills `data` from packed varints: int64Data, or int32Data, which also holds bool and the bits of 16-bit floats. */
function readVarints(
  pieces: readonly Uint8Array[],
  data: ValueArray,
  { stored, refuse }: { stored: keyof typeof dataTypes; refuse: (message: string) => never },
): void {
  const bits = stored === 'float16' || stored === 'bfloat16' ? new Uint16Array(1) : undefined
  const widen = stored === 'float16' ? fromBinary16 : fromBrainFloat
  let i = 0
  for (const piece of pieces) {
    const reader = protobuf.Reader.create(piece)
    while (reader.pos < reader.len) {
      if (i === data.length) refuse(`expected ${data.length} numbers, got more`)
      if (stored === 'int64') data[i] = clampedInteger(reader.int64() as unknown as Int64)
      else if (bits) {
        bits[0] = reader.int32()
        data[i] = widen(bits)[0]
      } else data[i] = stored === 'bool' ? Number(reader.int32() !== 0) : reader.int32()
      i++
    }
  }
  if (i !== data.length) refuse(`expected ${data.length} numbers, got ${i}`)
}
