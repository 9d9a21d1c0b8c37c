/** Protobuf messages by their wire format alone: fields with numbers, which hold numbers, bytes or fields again. */
import type { Mutation } from './mutation.ts'
import { asUint64, joined } from './mutation.ts'

interface Field {
  number: number
  wire: number
  value: bigint | Uint8Array | Field[]
  /** Written instead of the true length. */
  length?: bigint
}

/** A message in fields, or undefined where the bytes are none. */
export function parseMessage(bytes: Uint8Array, depth = 0): Field[] | undefined {
  const fields: Field[] = []
  let at = 0
  const varint = (): bigint | undefined => {
    let result = 0n
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++]
      result |= BigInt(byte & 127) << shift
      if (byte < 128) return result
    }
    return undefined
  }
  while (at < bytes.length) {
    const tag = varint()
    if (tag === undefined || tag >> 3n === 0n || tag >> 3n > 100n) return undefined
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    if (wire === 0) {
      const value = varint()
      if (value === undefined) return undefined
      fields.push({ number, wire, value })
      continue
    }
    const length = wire === 2 ? varint() : wire === 1 ? 8n : wire === 5 ? 4n : undefined
    if (length === undefined || BigInt(at) + length > bytes.length) return undefined
    const body = bytes.subarray(at, at + Number(length))
    at += body.length
    const inner = wire === 2 && body.length > 1 && depth < 8 ? parseMessage(body, depth + 1) : undefined
    fields.push({ number, wire, value: inner ?? body })
  }
  return fields
}

export function encodeMessage(fields: readonly Field[]): Uint8Array {
  return joined(...fields.map(encodeField))
}

function encodeField({ number, wire, value, length }: Field): Uint8Array {
  const tag = varint(BigInt((number << 3) | wire))
  if (typeof value === 'bigint') return joined(tag, varint(value))
  const body = Array.isArray(value) ? encodeMessage(value) : value
  return wire === 2 ? joined(tag, varint(length ?? BigInt(body.length)), body) : joined(tag, body)
}

function varint(number: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = asUint64(number)
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}

interface Slot {
  list: Field[]
  index: number
}

function slotsOf(fields: Field[], slots: Slot[] = []): Slot[] {
  for (const [index, { value }] of fields.entries()) {
    slots.push({ list: fields, index })
    if (Array.isArray(value)) slotsOf(value, slots)
  }
  return slots
}

function copyOf(fields: readonly Field[]): Field[] {
  return fields.map((field) => ({
    ...field,
    value: Array.isArray(field.value) ? copyOf(field.value) : field.value,
  }))
}

/** Changes a copy of a message, which may take pieces of another one. */
export function mutateMessage(
  message: readonly Field[],
  donor: readonly Field[],
  mutations: readonly Mutation[],
): Uint8Array {
  const root = copyOf(message)
  for (const mutation of mutations) {
    const slots = slotsOf(root)
    if (slots.length > 0) change(slots, slotsOf(copyOf(donor)), mutation)
  }
  return encodeMessage(root)
}

function change(
  slots: readonly Slot[],
  strangers: readonly Slot[],
  { kind, where, other, number, text }: Mutation,
): void {
  const { list, index } = slots[where % slots.length]
  const field = list[index]
  const from = slots[other % slots.length]
  const second = from.list[from.index]
  switch (kind % 15) {
    case 0:
    case 1:
      if (typeof field.value === 'bigint') field.value = number
      else field.value = new TextEncoder().encode(text)
      return
    case 2:
      list.splice(index, 1)
      return
    case 3:
      list.push(...Array(1 + (other % 4) ** 5).fill(field))
      return
    case 4:
      field.number = 1 + (other % 30)
      return
    case 5:
      field.wire = other % 8
      return
    case 6:
    case 7:
      // Names of one place at another: circles, names twice, inputs of the wrong kind.
      field.value = Array.isArray(second.value) ? copyOf(second.value) : second.value
      field.wire = second.wire
      return
    case 8: {
      // Copies, so that nothing comes to hold itself.
      const [first, last] = copyOf([field, second])
      from.list[from.index] = first
      Object.assign(field, last)
      return
    }
    case 9:
      field.length = number
      return
    case 10:
      if (field.value instanceof Uint8Array) field.value = field.value.subarray(0, other % 9)
      return
    case 11:
      if (field.value instanceof Uint8Array)
        field.value = joined(field.value, new Uint8Array(1 + (other % 9)))
      return
    case 12:
      for (let i = 0; i < [1, 4, 100][other % 3]; i++) field.value = [{ ...field, wire: 2 }]
      field.wire = 2
      return
    case 13:
      // A size among those that a tensor holds.
      if (field.value instanceof Uint8Array && field.value.length >= 8)
        field.value = withInteger(field.value, Math.floor((other % field.value.length) / 8) * 8, number)
      return
    default: {
      const stranger = strangers[other % strangers.length]
      list.splice(index, kind & 16 ? 1 : 0, stranger.list[stranger.index])
    }
  }
}

function withInteger(bytes: Uint8Array, at: number, number: bigint): Uint8Array {
  const copy = new Uint8Array(bytes)
  if (at + 8 <= copy.length) new DataView(copy.buffer).setBigUint64(at, asUint64(number), true)
  return copy
}
