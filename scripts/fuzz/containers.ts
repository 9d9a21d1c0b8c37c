/** Files that hold others: safetensors with their header, zip archives with their entries. */
import { zipSync } from 'fflate'
import { openZip } from '../../lib/formats/zip.ts'
import { isJson, mutateJson } from './json.ts'
import { asUint64, joined, type Mutation, mutateBytes } from './mutation.ts'

export function mutateText(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const text = new TextDecoder().decode(bytes)
  if (mutation.kind % 8 === 0 || !isJson(text))
    return mutateBytes(bytes, { ...mutation, kind: mutation.kind >> 4 })
  return new TextEncoder().encode(mutateJson(text, { ...mutation, kind: mutation.kind >> 4 }))
}

/** Header and data as they fit, or do not. */
export function mutateSafetensors(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const { kind, number } = mutation
  const inner = { ...mutation, kind: kind >> 4 }
  if (bytes.length < 8) return mutateBytes(bytes, inner)
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))
  if (!(length <= bytes.length - 8)) return mutateBytes(bytes, inner)
  let [header, data] = [bytes.subarray(8, 8 + length), bytes.subarray(8 + length)]
  let said: bigint | undefined
  switch (kind % 16) {
    case 0:
      said = asUint64(number)
      break
    case 1:
      return mutateBytes(bytes, inner)
    case 2:
      data = mutateBytes(data, inner)
      break
    default:
      header = mutateText(header, inner)
  }
  const start = new Uint8Array(8)
  new DataView(start.buffer).setBigUint64(0, said ?? BigInt(header.length), true)
  return joined(start, header, data)
}

type Inner = (bytes: Uint8Array, mutations: readonly Mutation[]) => Uint8Array

/** Entries are changed as what they hold, then the archive is made anew, then its own fields are changed. */
export function mutateZip(
  bytes: Uint8Array,
  mutations: readonly Mutation[],
  ofEntry: (name: string) => Inner,
): Uint8Array {
  const originals = archives.get(bytes) ?? entriesOf(bytes)
  archives.set(bytes, originals)
  const names = [...originals.keys()]
  const files = new Map([...originals].map(([name, content]) => [name, entry(content, 0)]))
  const inside = new Map<string, Mutation[]>()
  const outside: Mutation[] = []
  for (const mutation of mutations) {
    const { kind, where, other, text } = mutation
    const name = names[where % names.length]
    const inner = { ...mutation, kind: kind >> 4, where: other, other: where }
    if (kind % 16 < 11) inside.set(name, [...(inside.get(name) ?? []), inner])
    else if (kind % 16 === 11) files.set(name, entry(originals.get(name)!, 1))
    else if (kind % 16 === 12) files.delete(name)
    // fflate, which writes the archive, cannot have this one name.
    else if (kind % 16 === 13 && text !== '__proto__')
      files.set(text.slice(0, 100), entry(new Uint8Array(other % 100_000), 1))
    else outside.push(inner)
  }
  for (const [name, each] of inside) files.set(name, entry(ofEntry(name)(originals.get(name)!, each), 0))
  return outside.reduce(changeFields, zipSync(Object.fromEntries(files)))
}

const archives = new WeakMap<Uint8Array, ReadonlyMap<string, Uint8Array>>()

function entriesOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const archive = openZip(bytes)
  return new Map(archive.names.map((name) => [name, archive.read(name)]))
}

function entry(content: Uint8Array, level: 0 | 1): [Uint8Array, { level: 0 | 1 }] {
  return [content, { level }]
}

/** Fields of the directory and of the headers before entries, each at its place and in its width. */
function changeFields(bytes: Uint8Array, mutation: Mutation): Uint8Array {
  const { kind, where, other, number } = mutation
  const buffer = Buffer.from(bytes)
  const places: [at: number, width: number][] = []
  const signatures = [
    ['PK\x03\x04', [4, 6, 8, 26, 28], [14, 18, 22]],
    ['PK\x01\x02', [8, 10, 28, 30, 32], [16, 20, 24, 42]],
    ['PK\x05\x06', [8, 10, 20], [12, 16]],
  ] as const
  for (const [letters, short, long] of signatures) {
    for (
      let at = buffer.indexOf(letters, 0, 'latin1');
      at >= 0;
      at = buffer.indexOf(letters, at + 1, 'latin1')
    ) {
      for (const field of short) if (at + field + 2 <= buffer.length) places.push([at + field, 2])
      for (const field of long) if (at + field + 4 <= buffer.length) places.push([at + field, 4])
    }
  }
  if (places.length === 0 || kind % 5 === 0) return mutateBytes(bytes, mutation)
  const [at, width] = places[where % places.length]
  const old = buffer.readUIntLE(at, width)
  const limit = 2 ** (8 * width) - 1
  const value = kind % 5 < 3 ? Number(asUint64(number) & BigInt(limit)) : Math.min(limit, old + (other % 5))
  buffer.writeUIntLE(value, at, width)
  return new Uint8Array(buffer)
}
