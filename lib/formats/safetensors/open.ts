/** Safetensors on the disk: the header is read when a file is opened, tensors when they are asked for. */
import { nearestName } from '../../errors.ts'
import { type OpenFile, openFile, withOpenFile } from '../files.ts'
import { decodeTensors, requireStored, type Safetensors, type StoredTensor } from './decode.ts'
import { type Fail, failIn, type Header, headerLength, parseHeader, type TensorInfo } from './header.ts'
import { decodeElements, isStoredAs, type StoredArray } from './types.ts'

/** An open file. Its tensors can be read in any order, several at a time. */
export interface SafetensorsFile {
  readonly path: string
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  /**
   * Reads one tensor, into memory of its own.
   *
   * @throws {FileFormatError} if there is none of that name, its type fits no typed array, or reading fails
   */
  read(name: string): Promise<StoredTensor>
  /**
   * Reads one tensor into an array with as many elements, converting where the types differ.
   *
   * @throws {FileFormatError} as `read` does; `target` may be partly overwritten then if it was reading that failed
   * @throws {RangeError} if the array has another number of elements
   */
  readInto(name: string, target: Float32Array | Float64Array): Promise<void>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Opens a file, checks its whole header and reads nothing else: a file of gigabytes opens in the time and memory that its
 * header takes. `model.safetensors.index.json`, the index of a model in several files, is opened by `openShards`.
 *
 * @throws {FileFormatError} if the file cannot be opened or anything in its header is wrong; see `decodeSafetensors`
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await openFile(path)
  try {
    return new SingleFile(file, await readHeader(file))
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The most that one typed array holds. */
const mostBytes = 2 ** 32

/**
 * Reads a whole file. The tensors share one piece of memory: where only a few are needed, `openSafetensors` is better.
 *
 * @throws {FileFormatError} as `openSafetensors` and its `read` do
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const fail = failIn(path)
  return withOpenFile(path, async (file) => {
    const header = await readHeader(file)
    const size = file.size - header.end
    if (size > mostBytes)
      fail('FileTooLarge', `has ${size} bytes of tensors; read those you need with openSafetensors`)
    const data = new Uint8Array(size)
    await file.readInto(data, header.end)
    return decodeTensors(header, data, fail)
  })
}

async function readHeader(file: OpenFile): Promise<Header & { end: number }> {
  const fail = failIn(file.path)
  const start = new Uint8Array(Math.min(file.size, 9))
  await file.readInto(start, 0)
  const json = new Uint8Array(headerLength(start, file.size, fail))
  await file.readInto(json, 8)
  const end = 8 + json.length
  return { ...parseHeader(json, file.size - end, fail), end }
}

class SingleFile implements SafetensorsFile {
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly #file: OpenFile
  readonly #fail: Fail
  /** Where the header ends: positions of tensors count from there. */
  readonly #origin: number

  constructor(file: OpenFile, { metadata, tensors, end }: Header & { end: number }) {
    this.metadata = metadata
    this.tensors = tensors
    this.#file = file
    this.#fail = failIn(file.path)
    this.#origin = end
  }

  get path(): string {
    return this.#file.path
  }

  async read(name: string): Promise<StoredTensor> {
    const info = requireTensor(name, this.tensors, this.#fail)
    const dataType = requireStored(name, info, this.#fail)
    const bytes = new Uint8Array(info.end - info.start)
    await this.#file.readInto(bytes, this.#origin + info.start)
    return { shape: info.shape, dataType, data: decodeElements(dataType, bytes) }
  }

  async readInto(name: string, target: Float32Array | Float64Array): Promise<void> {
    const info = requireTensor(name, this.tensors, this.#fail)
    const size = info.shape.reduce((product, n) => product * n, 1)
    if (target.length !== size) {
      throw new RangeError(
        `${this.path}: ${JSON.stringify(name)} has ${size} elements, the array ${target.length}`,
      )
    }
    if (isStoredAs(requireStored(name, info, this.#fail), target)) {
      const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength)
      return this.#file.readInto(bytes, this.#origin + info.start)
    }
    copyNumbers((await this.read(name)).data, target)
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** What the map has under a name. @throws {FileFormatError} that suggests the nearest name */
export function requireTensor<T>(name: string, tensors: ReadonlyMap<string, T>, fail: Fail): T {
  const found = tensors.get(name)
  if (found) return found
  const nearest = nearestName(name, [...tensors.keys()])
  const hint = nearest ? `; the nearest is ${JSON.stringify(nearest)}` : ''
  return fail('MissingTensor', `is not in the file${hint}`, { tensor: name })
}

/** Numbers of any type into floats; those of 64-bit integers are rounded. */
function copyNumbers(from: StoredArray, to: Float32Array | Float64Array): void {
  if (from instanceof BigInt64Array || from instanceof BigUint64Array) {
    for (let i = 0; i < to.length; i++) to[i] = Number(from[i])
  } else to.set(from)
}
