/** Objects of an HDF5 file: the superblock leads to the root, a header's messages say what an object is. */
import type { Bytes } from './bytes.ts'

/** Numbers of the messages that are looked at. */
export const messages = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const

export interface Message {
  type: number
  /** The byte in the file at which it begins. */
  at: number
  length: number
  /** Its content lies elsewhere, shared with other objects. */
  isShared: boolean
}

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]

/** Whether these are the first bytes of an HDF5 file. */
export function isHdf5(bytes: Uint8Array): boolean {
  return signature.every((byte, i) => bytes[i] === byte)
}

/** The address of the root group's header. */
export function rootOf(bytes: Bytes): number {
  if (!isHdf5(bytes.slice(0, Math.min(8, bytes.length))))
    bytes.fail('NotHdf5', 'expected an HDF5 file, which begins with \\x89HDF')
  const version = bytes.u8(8)
  if (version > 3) bytes.fail('UnsupportedHdf5', `expected a superblock of version 0 to 3, got ${version}`)
  const isOld = version < 2
  const sizes = isOld ? [bytes.u8(13), bytes.u8(14)] : [bytes.u8(9), bytes.u8(10)]
  if (sizes[0] !== 8 || sizes[1] !== 8)
    bytes.fail('UnsupportedHdf5', `expected offsets and lengths of 8 bytes, got ${sizes}`)
  const base = [24, 28, 12, 12][version]
  if (bytes.u64(base) !== 0) bytes.fail('UnsupportedHdf5', 'expected the file to begin with its superblock')
  const end = bytes.u64(base + 16)
  if (end > bytes.length)
    bytes.fail('Truncated', `expected ${end} bytes, got ${bytes.length}; copy or save it again`)
  // The old superblock ends in the root's entry of a symbol table, whose name comes before the address.
  const root = bytes.address(isOld ? base + 40 : base + 24)
  return root ?? bytes.fail('InvalidHdf5', 'it has no root group')
}

/** The messages of the header at an address, those in continuation blocks too. */
export function messagesOf(bytes: Bytes, header: number): Message[] {
  const isOld = bytes.u8(header) === 1
  if (!isOld) bytes.signature(header, 'OHDR')
  const { start, length, hasOrder } = isOld
    ? { start: header + 16, length: bytes.u32(header + 8), hasOrder: false }
    : newHeader(bytes, header)
  const found: Message[] = []
  const blocks = [{ start, end: start + length }]
  for (const block of blocks) {
    bytes.slice(block.start, block.end - block.start)
    const prefix = isOld ? 8 : hasOrder ? 6 : 4
    for (let at = block.start; at + prefix <= block.end; ) {
      const type = isOld ? bytes.u16(at) : bytes.u8(at)
      const size = bytes.u16(at + (isOld ? 2 : 1))
      const flags = bytes.u8(at + (isOld ? 4 : 3))
      at += prefix
      if (at + size > block.end) bytes.fail('InvalidHdf5', `a message at byte ${at} leaves its header`)
      if (type === messages.continuation) {
        const from = bytes.u64(at)
        const to = from + bytes.u64(at + 8)
        if (!isOld) bytes.signature(from, 'OCHK')
        // Newer blocks have a signature before and a checksum behind their messages.
        blocks.push(isOld ? { start: from, end: to } : { start: from + 4, end: to - 4 })
      } else found.push({ type, at, length: size, isShared: (flags & 2) !== 0 })
      at += size
    }
  }
  return found
}

function newHeader(bytes: Bytes, header: number): { start: number; length: number; hasOrder: boolean } {
  const flags = bytes.u8(header + 5)
  const width = 1 << (flags & 3)
  const at = header + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0)
  const length = readWidth(bytes, at, width)
  return { start: at + width, length, hasOrder: (flags & 4) !== 0 }
}

/** A number of 1, 2, 4 or 8 bytes. */
export function readWidth(bytes: Bytes, at: number, width: number): number {
  if (width === 1) return bytes.u8(at)
  if (width === 2) return bytes.u16(at)
  return width === 4 ? bytes.u32(at) : bytes.u64(at)
}
