/** Groups: names and where their objects lie. */
import type { Bytes } from './bytes.ts'
import { type Message, messages, readWidth } from './objects.ts'

/** The address of an object's header, or what else a name may stand for. */
export type Link = number | 'soft link' | 'external link'

const hard = 0
const soft = 1

/** The links of a group, or undefined where the messages are of something else. */
export function linksOf(bytes: Bytes, found: readonly Message[]): Map<string, Link> | undefined {
  const table = found.find(({ type }) => type === messages.symbolTable)
  if (table) return readSymbolTable(bytes, table)
  const info = found.find(({ type }) => type === messages.linkInfo)
  if (!info) return undefined
  const heap = info.at + 2 + (bytes.u8(info.at + 1) & 1 ? 8 : 0)
  if (bytes.address(heap) !== undefined)
    bytes.fail('UnsupportedHdf5', "a group's links lie in a heap; write the file with libver='earliest'")
  const links = found.filter(({ type }) => type === messages.link)
  return new Map(links.map(({ at }) => readLink(bytes, at)))
}

function readLink(bytes: Bytes, at: number): [name: string, link: Link] {
  const flags = bytes.u8(at + 1)
  let next = at + 2
  const kind = flags & 8 ? bytes.u8(next++) : hard
  if (flags & 4) next += 8
  if (flags & 0x10) next += 1
  const width = 1 << (flags & 3)
  const length = readWidth(bytes, next, width)
  const name = bytes.text(next + width, length)
  if (kind !== hard) return [name, kind === soft ? 'soft link' : 'external link']
  return [name, bytes.u64(next + width + length)]
}

/** The older form: a tree whose leaves are lists of symbols, with the names in a heap. */
function readSymbolTable(bytes: Bytes, { at }: Message): Map<string, Link> {
  const heap = bytes.u64(at + 8)
  bytes.signature(heap, 'HEAP')
  const names = { start: bytes.u64(heap + 24), length: bytes.u64(heap + 8) }
  const links = new Map<string, Link>()
  for (const list of leavesOf(bytes, bytes.u64(at), 0, 8)) {
    const { child } = list
    bytes.signature(child, 'SNOD')
    const count = bytes.u16(child + 6)
    for (let entry = child + 8; entry < child + 8 + count * 40; entry += 40) {
      const offset = bytes.u64(entry)
      if (offset >= names.length) bytes.fail('InvalidHdf5', 'a name lies outside its heap')
      const length = Math.min(names.length - offset, 1024)
      const name = bytes.text(names.start + offset, length)
      links.set(name, bytes.u32(entry + 16) === 2 ? 'soft link' : bytes.u64(entry + 8))
    }
  }
  return links
}

/**
 * What hangs at the leaves of a tree, with the key before each: a group's tree (kind 0) leads to lists of symbols,
 * a dataset's (kind 1) to chunks.
 */
export function* leavesOf(
  bytes: Bytes,
  node: number,
  kind: 0 | 1,
  keyLength: number,
  level?: number,
): Iterable<{ key: number; child: number }> {
  bytes.signature(node, 'TREE')
  const found = { kind: bytes.u8(node + 4), level: bytes.u8(node + 5) }
  // Levels count down to the leaves, so that a tree cannot contain itself.
  if (found.kind !== kind || (level !== undefined && found.level !== level))
    bytes.fail('InvalidHdf5', `the tree at byte ${node} has a node that does not belong there`)
  const count = bytes.u16(node + 6)
  for (let i = 0; i < count; i++) {
    const key = node + 24 + i * (keyLength + 8)
    const child = bytes.u64(key + keyLength)
    if (found.level === 0) yield { key, child }
    else yield* leavesOf(bytes, child, kind, keyLength, found.level - 1)
  }
}
