/** From a file's bytes to messages, with a limit on what the messages may cost: 2 bytes can make an object of 300. */
import protobuf from 'protobufjs/light.js'
import type { Fail } from './fail.ts'
import { type ModelProto, modelType } from './schema.ts'

/**
 * Bytes that messages may take beside one for each byte of the file; and what, at most, one of each kind takes. A node with
 * its names and an attribute is some 1,200, so this is enough for tens of thousands.
 */
const messageBytes = 40e6
const costs = { message: 400, field: 48 }

/** ModelProto → graph → node → attribute → tensor → external data, and as many again. */
const maximumDepth = 16

/** Decodes, after checking that the structure is sound and of limited size. Bulk data remain views of `bytes`. */
export function decodeModelProto(bytes: Uint8Array, fail: Fail): ModelProto {
  try {
    requireModestSize(bytes, fail)
    const reader = protobuf.Reader.create(bytes)
    reader.discardUnknown = true
    return modelType.decode(reader) as unknown as ModelProto
  } catch (cause) {
    if (cause instanceof Error && cause.name === 'FileFormatError') throw cause
    return fail('InvalidProtobuf', `it is no ONNX model: ${(cause as Error).message}`, { cause })
  }
}

/** Walks the fields without making anything of them. */
function requireModestSize(bytes: Uint8Array, fail: Fail): void {
  const reader = protobuf.Reader.create(bytes)
  let left = bytes.length + messageBytes
  const spend = (cost: number): void => {
    left -= cost
    if (left < 0) fail('TooManyFields', 'it holds more nodes, names and numbers than its length allows')
  }
  const walk = (type: protobuf.Type, end: number, depth: number): void => {
    if (depth > maximumDepth) fail('TooDeep', `expected messages at most ${maximumDepth} levels deep`)
    while (reader.pos < end) {
      const tag = reader.tag()
      const field = type.fieldsById[tag >>> 3]
      if (!field || (tag & 7) !== 2 || field.type === 'bytes' || field.type === 'string') {
        if (field) spend(costs.field)
        reader.skipType(tag & 7, 0, tag >>> 3)
        continue
      }
      const length = reader.size()
      if (reader.pos + length > end) throw new RangeError('a message is longer than what holds it')
      if (field.resolvedType instanceof protobuf.Type) {
        spend(costs.message)
        walk(field.resolvedType, reader.pos + length, depth + 1)
      } else {
        // Packed: a byte may be a number.
        spend(costs.field * length)
        reader.skip(length)
      }
    }
    if (reader.pos !== end) throw new RangeError('a field is longer than the message that holds it')
  }
  walk(modelType, bytes.length, 0)
}
