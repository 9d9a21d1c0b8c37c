/** The bytes of a file from a stranger: every read stays inside, and all reads together come to an end. */
import { FileFormatError } from '../../errors.ts'

/** "No address" in HDF5. */
const nowhere = 0xffff_ffff_ffff_ffffn

export class Bytes {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #path: string | undefined
  /** Bytes that may still be asked for: a file is read about once over, not in circles. */
  #work: number

  constructor(bytes: Uint8Array, path?: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#path = path
    this.#work = 16 * bytes.length + (1 << 20)
  }

  get length(): number {
    return this.#bytes.length
  }

  /** @throws {FileFormatError} always */
  fail(code: string, message: string, { tensor, cause }: { tensor?: string; cause?: unknown } = {}): never {
    const where = [this.#path ?? 'HDF5', tensor].filter((part) => part !== undefined).join(', ')
    throw new FileFormatError(`${where}: ${message}`, { code, path: this.#path, tensor, cause })
  }

  /** The bytes [start, start + length), not copied. */
  slice(start: number, length: number): Uint8Array {
    this.#require(start, length)
    return this.#bytes.subarray(start, start + length)
  }

  u8(at: number): number {
    this.#require(at, 1)
    return this.#bytes[at]
  }

  u16(at: number): number {
    this.#require(at, 2)
    return this.#view.getUint16(at, true)
  }

  u32(at: number): number {
    this.#require(at, 4)
    return this.#view.getUint32(at, true)
  }

  /** A length or a count. */
  u64(at: number): number {
    this.#require(at, 8)
    const value = Number(this.#view.getBigUint64(at, true))
    return Number.isSafeInteger(value)
      ? value
      : this.fail('InvalidHdf5', `${value} at byte ${at} is too large`)
  }

  /** An address, or undefined for "nowhere". */
  address(at: number): number | undefined {
    this.#require(at, 8)
    return this.#view.getBigUint64(at, true) === nowhere ? undefined : this.u64(at)
  }

  /** A text of `length` bytes, or up to a zero before. */
  text(start: number, length: number): string {
    const bytes = this.slice(start, length)
    const end = bytes.indexOf(0)
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
  }

  /** @throws {FileFormatError} unless the four letters stand there */
  signature(at: number, letters: string): void {
    const found = String.fromCharCode(...this.slice(at, 4))
    if (found !== letters)
      this.fail('InvalidHdf5', `expected ${letters} at byte ${at}, got ${JSON.stringify(found)}`)
  }

  #require(start: number, length: number): void {
    if (!(start >= 0 && length >= 0 && start + length <= this.#bytes.length)) {
      this.fail(
        'Truncated',
        `expected ${length} bytes at byte ${start}, but it has ${this.#bytes.length} bytes`,
      )
    }
    this.#work -= length
    if (this.#work < 0) this.fail('InvalidHdf5', 'its parts refer to one another again and again')
  }
}
