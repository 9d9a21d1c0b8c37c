/**
 * Reads HDF5 as Keras and h5py write it. The HDF5 library itself is not asked: on files made to harm it, it runs for ever and
 * cannot be stopped. Every read here stays inside the file, everything made of it is counted before it is made, and what
 * is not read (links to other places, data in other files, heaps of links) is refused by name.
 */
import { Bytes } from './bytes.ts'
import { type Dataset, datasetOf } from './datasets.ts'
import { type Link, linksOf } from './groups.ts'
import { type Message, messages, messagesOf, rootOf } from './objects.ts'
import { readShape, readType } from './types.ts'

/** What one may ask of a file. Paths begin with `/`. */
export class Hdf5File {
  readonly #bytes: Bytes
  readonly #root: number
  /** Bytes that may still be made of the file: datasets may be compressed, texts may lie in one place. */
  #budget: number
  readonly #groups = new Map<number, Map<string, Link> | undefined>()

  /**
   * @param path named in errors
   * @throws {FileFormatError} here and in every method if anything about the file is wrong
   */
  constructor(bytes: Uint8Array, path?: string) {
    this.#bytes = new Bytes(bytes, path)
    this.#root = rootOf(this.#bytes)
    this.#budget = bytes.length + (16 << 20)
  }

  /** The names in a group, or undefined where there is none. */
  children(path: string): readonly string[] | undefined {
    const header = this.#find(path)
    return header === undefined ? undefined : [...(this.#linksAt(header)?.keys() ?? [])]
  }

  /** The dataset of floats at a path. */
  dataset(path: string): Dataset {
    const header = this.#find(path)
    if (header === undefined)
      return this.#bytes.fail('MissingTensor', 'expected a dataset here', { tensor: path })
    return datasetOf(this.#bytes, messagesOf(this.#bytes, header), path, (bytes) => this.#spend(bytes, path))
  }

  /** The text or texts of an attribute, or undefined where there is none. */
  attribute(path: string, name: string): readonly string[] | undefined {
    const header = this.#find(path)
    if (header === undefined) return undefined
    const found = messagesOf(this.#bytes, header)
    for (const message of found) {
      if (message.type !== messages.attribute) continue
      const texts = this.#readAttribute(message, path, name)
      if (texts) return texts
    }
    const info = found.find(({ type }) => type === messages.attributeInfo)
    if (info && this.#bytes.address(info.at + 2 + (this.#bytes.u8(info.at + 1) & 1 ? 2 : 0)) !== undefined)
      this.#bytes.fail(
        'UnsupportedHdf5',
        `the attributes of ${path} lie in a heap; write the file with libver='earliest'`,
      )
    return undefined
  }

  /** The header of the object at a path, or undefined where nothing is. */
  #find(path: string): number | undefined {
    let header = this.#root
    for (const name of path.split('/').filter(Boolean)) {
      const link = this.#linksAt(header)?.get(name)
      if (link === undefined) return undefined
      if (typeof link !== 'number')
        this.#bytes.fail('UnsupportedLink', `${name} is a ${link}; save the model as one file`, {
          tensor: path,
        })
      header = link as number
    }
    return header
  }

  #linksAt(header: number): Map<string, Link> | undefined {
    if (!this.#groups.has(header))
      this.#groups.set(header, linksOf(this.#bytes, messagesOf(this.#bytes, header)))
    return this.#groups.get(header)
  }

  #spend(bytes: number, place: string): void {
    if (!(bytes >= 0 && bytes <= this.#budget)) {
      const limit = `a file of this length may take ${this.#budget} more`
      this.#bytes.fail('TooLarge', `${bytes} bytes; ${limit}`, { tensor: place })
    }
    this.#budget -= bytes
  }

  #readAttribute({ at, isShared }: Message, path: string, name: string): string[] | undefined {
    const bytes = this.#bytes
    const version = bytes.u8(at)
    if (version < 1 || version > 3) bytes.fail('UnsupportedHdf5', `an attribute of version ${version}`)
    const [nameLength, typeLength, shapeLength] = [2, 4, 6].map((offset) => bytes.u16(at + offset))
    const round = (length: number) => (version === 1 ? Math.ceil(length / 8) * 8 : length)
    const start = at + (version === 3 ? 9 : 8)
    if (isShared || bytes.text(start, nameLength) !== name) return undefined
    const place = `attribute ${name} of ${path}`
    const typeAt = start + round(nameLength)
    const shapeAt = typeAt + round(typeLength)
    const type = readType(bytes, typeAt)
    if (bytes.u8(at + 1) & 3 && version > 1) bytes.fail('UnsupportedHdf5', 'a shared type', { tensor: place })
    const shape = readShape(bytes, shapeAt)
    const count = shape?.reduce((product, n) => product * n, 1) ?? 0
    // h5py writes an empty list as one of float64.
    if (count === 0) return []
    if (!type || type.kind === 'float')
      return bytes.fail('InvalidAttribute', 'expected texts', { tensor: place })
    this.#spend(count * type.size, place)
    const data = shapeAt + round(shapeLength)
    return Array.from({ length: count }, (_, i) => {
      const element = data + i * type.size
      return type.kind === 'text' ? bytes.text(element, type.size) : this.#heapText(element, place)
    })
  }

  /** A text of variable length: an element holds its length, a heap's address and a number in it. */
  #heapText(element: number, place: string): string {
    const bytes = this.#bytes
    const length = bytes.u32(element)
    const heap = bytes.address(element + 4)
    const index = bytes.u32(element + 12)
    if (length === 0 || heap === undefined || heap === 0) return ''
    this.#spend(length, place)
    bytes.signature(heap, 'GCOL')
    const end = heap + bytes.u64(heap + 8)
    for (let at = heap + 16; at + 16 <= end; ) {
      const size = bytes.u64(at + 8)
      const found = bytes.u16(at)
      if (found === index && length <= size) return bytes.text(at + 16, length)
      if (found === 0) break
      at += 16 + Math.ceil(size / 8) * 8
    }
    return bytes.fail('InvalidHdf5', 'a text is missing in its heap', { tensor: place })
  }
}
