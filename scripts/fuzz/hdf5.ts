/** HDF5 files changed where they say something: in superblock, headers, messages, trees, lists, heaps and their texts. */
import { Bytes } from '../../lib/formats/hdf5/bytes.ts'
import { messagesOf, rootOf } from '../../lib/formats/hdf5/objects.ts'
import { isJson, mutateJson } from './json.ts'
import { asUint64, type Mutation, mutateBytes } from './mutation.ts'

/** What is known of a file before it is changed. */
interface Places {
  /** Bytes that mean something. */
  places: number[]
  /** Where structures begin, as addresses to put somewhere else. */
  addresses: number[]
  /** JSON in texts: [start, length]. */
  texts: [start: number, length: number][]
}

const maps = new WeakMap<Uint8Array, Places>()

/** @param original a true file, which is looked through once */
export function mutateHdf5(original: Uint8Array, mutations: readonly Mutation[]): Uint8Array {
  const map = maps.get(original) ?? mapOf(original)
  maps.set(original, map)
  let bytes: Uint8Array = original.slice()
  for (const mutation of mutations) bytes = change(bytes, map, mutation)
  return bytes
}

function change(bytes: Uint8Array, { places, addresses, texts }: Places, mutation: Mutation): Uint8Array {
  const { kind, where, other, number } = mutation
  const at = places[where % places.length]
  if (at + 8 > bytes.length) return mutateBytes(bytes, mutation)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (kind % 10) {
    case 0:
    case 1:
      bytes[at] = Number(number & 255n)
      return bytes
    case 2:
      view.setUint16(at, Number(number & 0xffffn), true)
      return bytes
    case 3:
      view.setUint32(at, Number(number & 0xffff_ffffn), true)
      return bytes
    case 4:
      view.setBigUint64(at - (at % 8), asUint64(number), true)
      return bytes
    case 5:
      view.setBigUint64(at - (at % 8), BigInt(addresses[other % addresses.length]), true)
      return bytes
    case 6:
      bytes[at] ^= 1 << (other % 8)
      return bytes
    case 7:
      if (texts.length > 0) mutateText(bytes, texts[other % texts.length], mutation)
      return bytes
    case 8:
      bytes.copyWithin(
        at,
        places[other % places.length],
        places[other % places.length] + 8 * (1 + (kind % 9)),
      )
      return bytes
    default:
      return mutateBytes(bytes, { ...mutation, kind: kind >> 4 })
  }
}

/** JSON changed in its place: shorter than before, or the change is left out. */
function mutateText(bytes: Uint8Array, [start, length]: Places['texts'][number], mutation: Mutation): void {
  const text = new TextDecoder().decode(bytes.subarray(start, start + length))
  if (!isJson(text)) return
  const changed = new TextEncoder().encode(mutateJson(text, { ...mutation, kind: mutation.kind >> 4 }))
  if (changed.length <= length) bytes.fill(0x20, start, start + length).set(changed, start)
}

function mapOf(file: Uint8Array): Places {
  const bytes = new Bytes(file)
  const buffer = Buffer.from(file.buffer, file.byteOffset, file.length)
  const places = range(8, 104)
  const addresses = [0]
  const find = (letters: string, length: number) => {
    for (let at = buffer.indexOf(letters); at >= 0; at = buffer.indexOf(letters, at + 1)) {
      addresses.push(at)
      places.push(...range(at, at + length))
    }
  }
  for (const [letters, length] of [
    ['TREE', 120],
    ['SNOD', 128],
    ['HEAP', 64],
    ['GCOL', 32],
    ['OHDR', 32],
    ['OCHK', 16],
  ] as const)
    find(letters, length)
  for (const header of [rootOf(bytes), ...headersIn(buffer)]) {
    try {
      addresses.push(header)
      places.push(...range(header, header + 24))
      for (const { at, length } of messagesOf(bytes, header)) {
        places.push(...range(at - 8, at + Math.min(length, 96)))
      }
    } catch {
      // What looked like a header is none.
    }
  }
  const texts: Places['texts'] = []
  for (let at = buffer.indexOf('{"'); at >= 0; at = buffer.indexOf('{"', at + 1)) {
    const end = buffer.indexOf(0, at)
    if (!isJson(buffer.toString('utf8', at, end))) continue
    texts.push([at, end - at])
    at = end
  }
  return { places: places.filter((at) => at >= 0 && at < file.length), addresses, texts }
}

/** The addresses in lists of symbols. */
function headersIn(buffer: Buffer): number[] {
  const found: number[] = []
  for (let list = buffer.indexOf('SNOD'); list >= 0; list = buffer.indexOf('SNOD', list + 1)) {
    for (let i = 0; i < buffer.readUInt16LE(list + 6); i++) {
      const at = list + 16 + 40 * i
      if (at + 8 <= buffer.length) found.push(Number(buffer.readBigUInt64LE(at)))
    }
  }
  return found
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}
