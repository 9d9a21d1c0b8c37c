/** The elements of a dataset: in one piece, inside its header, or in chunks that may be compressed. */
import { inflateSync } from 'node:zlib'
import type { Bytes } from './bytes.ts'
import { leavesOf } from './groups.ts'
import { type Message, messages } from './objects.ts'
import { readShape, readType, toFloats, typeNames } from './types.ts'

export interface Dataset {
  /** As safetensors call it. */
  readonly dataType: 'F16' | 'F32' | 'F64'
  readonly shape: readonly number[]
  read(): Float32Array | Float64Array
}

const filters = { deflate: 1, shuffle: 2, fletcher32: 3 }

/** Takes bytes of memory from what the file may still take, or fails. */
export type Spend = (bytes: number) => void

/** A dataset's shape, and how to read it. @throws {FileFormatError} if it cannot be read or is too large */
export function datasetOf(bytes: Bytes, found: readonly Message[], path: string, spend: Spend): Dataset {
  const fail = (code: string, message: string): never => bytes.fail(code, message, { tensor: path })
  const part = (type: number): Message => {
    const message = found.find((each) => each.type === type)
    if (!message) return fail('MissingTensor', 'expected a dataset here')
    if (message.isShared) fail('UnsupportedHdf5', 'shares its description with another dataset')
    return message
  }
  if (found.some(({ type }) => type === messages.externalFiles))
    fail('ExternalStorage', 'its numbers lie in other files; save the model as one file')
  const shape = readShape(bytes, part(messages.dataspace).at) ?? fail('MissingTensor', 'it holds no numbers')
  const type = readType(bytes, part(messages.datatype).at)
  if (type?.kind !== 'float')
    return fail('UnsupportedDataType', 'expected floating-point numbers of 16, 32 or 64 bits')
  const { size } = type
  const length = sizeOf(shape, size)
  const layout = part(messages.layout).at
  return {
    dataType: typeNames[size],
    shape,
    read: () => {
      spend(length)
      return toFloats(readElements(), type)
    },
  }

  function readElements(): Uint8Array {
    const version = bytes.u8(layout)
    if (version !== 3 && version !== 4) return fail('UnsupportedHdf5', `a layout of version ${version}`)
    const kind = bytes.u8(layout + 1)
    if (kind === 0) return expectLength(bytes.u16(layout + 2), layout + 4)
    if (kind === 1) {
      const address = bytes.address(layout + 2)
      if (address === undefined && length > 0) return fail('MissingTensor', 'its numbers were never written')
      return expectLength(bytes.u64(layout + 10), address ?? 0)
    }
    if (kind === 3)
      return fail('VirtualDataset', 'its numbers lie in other datasets; save the model as one file')
    if (kind !== 2 || version !== 3)
      return fail('UnsupportedHdf5', "chunks in a newer form; write the file with libver='earliest'")
    return readChunks()
  }

  function expectLength(stored: number, start: number): Uint8Array {
    if (stored !== length) fail('InvalidHdf5', `expected ${length} bytes for [${shape}], got ${stored}`)
    return bytes.slice(start, length)
  }

  function readChunks(): Uint8Array {
    const rank = shape.length
    if (bytes.u8(layout + 2) !== rank + 1) return fail('InvalidHdf5', 'its chunks have another rank')
    const chunk = shape.map((_, i) => bytes.u32(layout + 11 + 4 * i))
    if (rank === 0 || chunk.some((n) => n < 1)) return fail('InvalidHdf5', `chunks of [${chunk}]`)
    const chunkLength = sizeOf(chunk, size)
    const steps = filtersOf()
    // All chunks together reach beyond the edges, and each is inflated whole.
    spend(
      sizeOf(
        shape.map((n, i) => Math.ceil(n / chunk[i]) * chunk[i]),
        size,
      ) - length,
    )
    spend(chunkLength)
    const elements = new Uint8Array(length)
    const seen = new Set<string>()
    const tree = bytes.address(layout + 3)
    for (const { key, child } of tree === undefined ? [] : leavesOf(bytes, tree, 1, 16 + 8 * rank)) {
      const origin = shape.map((_, i) => bytes.u64(key + 8 + 8 * i))
      const isInside = origin.every((n, i) => n < shape[i] && n % chunk[i] === 0)
      if (!isInside || seen.has(String(origin)))
        return fail('InvalidHdf5', `a second or stray chunk at [${origin}]`)
      seen.add(String(origin))
      const stored = bytes.slice(child, bytes.u32(key))
      placeChunk(elements, undo(stored, steps, bytes.u32(key + 4), chunkLength), origin, chunk)
    }
    // Chunks that were never written would read as fill values; no model's weights have such.
    if (seen.size !== shape.reduce((product, n, i) => product * Math.ceil(n / chunk[i]), 1))
      return fail('MissingTensor', 'some of its chunks were never written')
    return elements
  }

  function filtersOf(): number[] {
    const message = found.find(({ type }) => type === messages.filters)
    if (!message) return []
    const version = bytes.u8(message.at)
    const steps: number[] = []
    let at = message.at + (version === 1 ? 8 : 2)
    for (let i = 0; i < bytes.u8(message.at + 1); i++) {
      const id = bytes.u16(at)
      if (!Object.values(filters).includes(id))
        return fail('UnsupportedFilter', `expected deflate, shuffle or fletcher32, got filter ${id}`)
      const hasName = version === 1
      const nameLength = hasName ? Math.ceil(bytes.u16(at + 2) / 8) * 8 : 0
      const values = bytes.u16(at + (hasName ? 6 : 4))
      at += (hasName ? 8 : 6) + nameLength + 4 * (hasName ? values + (values % 2) : values)
      // Each once, as its writers have them: deflated again and again, a chunk would cost its length each time.
      if (steps.includes(id)) return fail('UnsupportedFilter', `filter ${id} occurs twice`)
      steps.push(id)
    }
    return steps
  }

  /** What the filters made of a chunk, undone from the last to the first; `skipped` has a bit for each not applied. */
  function undo(
    stored: Uint8Array,
    steps: readonly number[],
    skipped: number,
    chunkLength: number,
  ): Uint8Array {
    let data = stored
    for (const [i, id] of [...steps.entries()].reverse()) {
      if (skipped & (1 << i)) continue
      // The checksum is cut off, not checked: the rest of the file has none.
      if (id === filters.fletcher32) data = data.subarray(0, -4)
      else if (id === filters.shuffle) data = unshuffle(data, size)
      else data = inflate(data, chunkLength + 4)
    }
    if (data.length !== chunkLength)
      return fail('InvalidHdf5', `expected a chunk of ${chunkLength} bytes, got ${data.length}`)
    return data
  }

  function inflate(data: Uint8Array, maxOutputLength: number): Uint8Array {
    try {
      return inflateSync(data, { maxOutputLength })
    } catch (cause) {
      return bytes.fail('InvalidHdf5', `a chunk cannot be inflated: ${(cause as Error).message}`, {
        tensor: path,
        cause,
      })
    }
  }

  /** Copies the rows of a chunk that lie inside the dataset. */
  function placeChunk(
    to: Uint8Array,
    from: Uint8Array,
    origin: readonly number[],
    chunk: readonly number[],
  ): void {
    const last = shape.length - 1
    const place = (axis: number, target: number, source: number): void => {
      const inside = Math.min(chunk[axis], shape[axis] - origin[axis])
      if (axis === last) {
        const start = (target * shape[axis] + origin[axis]) * size
        const row = source * chunk[axis] * size
        to.set(from.subarray(row, row + inside * size), start)
        return
      }
      for (let i = 0; i < inside; i++)
        place(axis + 1, target * shape[axis] + origin[axis] + i, source * chunk[axis] + i)
    }
    place(0, 0, 0)
  }
}

/** The bytes of one element stand chunk-wide apart. */
function unshuffle(data: Uint8Array, size: number): Uint8Array {
  const count = Math.floor(data.length / size)
  const result = new Uint8Array(data)
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < size; j++) result[i * size + j] = data[j * count + i]
  }
  return result
}

function sizeOf(shape: readonly number[], size: number): number {
  return shape.reduce((product, n) => product * n, size)
}
