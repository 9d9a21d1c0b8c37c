/** A model in several safetensors files, and the index that tells which tensor lies where. */
import { isUtf8 } from 'node:buffer'
import { basename, dirname, join } from 'node:path'
import { withOpenFile } from '../files.ts'
import type { StoredTensor } from './decode.ts'
import { type Fail, failIn, longestHeader, readTexts, type TensorInfo } from './header.ts'
import { openSafetensors, requireTensor, type SafetensorsFile } from './open.ts'
import { JsonScanner } from './scanner.ts'

/**
 * The tensors that an index, `{"metadata": ..., "weight_map": {tensor: file}}`, tells of, and the names of their files.
 *
 * @param path named in errors
 * @throws {FileFormatError} if it is no such index, or a file is not named plainly, as one in the index's own folder
 */
export function decodeShardIndex(bytes: Uint8Array, path?: string): Map<string, string> {
  const fail = failIn(path)
  if (!isUtf8(bytes)) fail('InvalidIndex', 'the index is not valid UTF-8')
  const scanner = new JsonScanner(bytes, (message) => fail('InvalidIndex', `the index ${message}`))
  let files: Map<string, string> | undefined
  scanner.object((name) => {
    if (name !== 'weight_map') return scanner.skip()
    if (files) fail('DuplicateName', 'the index has two weight_map')
    files = readTexts(scanner, { fail, what: 'weight_map' })
  })
  scanner.end()
  if (!files) return fail('InvalidIndex', 'expected a weight_map from tensors to files')
  for (const [tensor, file] of files) requirePlainName(tensor, file, fail)
  return files
}

/** Separators of every system count everywhere, so that an index means the same wherever it is read. */
function requirePlainName(tensor: string, file: string, fail: Fail): void {
  if (file !== '' && file !== '.' && file !== '..' && !/[/\\:\0]/.test(file) && basename(file) === file)
    return
  const expected = 'expected the name of a file in the folder of the index'
  fail('UnsafePath', `${expected}, got ${JSON.stringify(file)}`, { tensor })
}

/**
 * Opens `model.safetensors.index.json` and the files beside it as if they were one. Tensors of the files that the index
 * does not name are not there.
 *
 * @throws {FileFormatError} as `openSafetensors` and `decodeShardIndex` do, or if a tensor is not in its file
 */
export async function openShards(path: string): Promise<SafetensorsFile> {
  const places = decodeShardIndex(await readIndex(path), path)
  const shards = new Map<string, SafetensorsFile>()
  try {
    for (const file of new Set(places.values())) {
      shards.set(file, await openSafetensors(join(dirname(path), file)))
    }
    return new ShardedFile(path, places, shards)
  } catch (error) {
    for (const shard of shards.values()) await shard.close()
    throw error
  }
}

function readIndex(path: string): Promise<Uint8Array> {
  return withOpenFile(path, async (file) => {
    if (file.size > longestHeader) {
      failIn(path)('HeaderTooLarge', `expected an index of at most ${longestHeader} bytes, got ${file.size}`)
    }
    const bytes = new Uint8Array(file.size)
    await file.readInto(bytes, 0)
    return bytes
  })
}

class ShardedFile implements SafetensorsFile {
  readonly path: string
  readonly metadata: ReadonlyMap<string, string>
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly #places: ReadonlyMap<string, SafetensorsFile>

  constructor(
    path: string,
    places: ReadonlyMap<string, string>,
    shards: ReadonlyMap<string, SafetensorsFile>,
  ) {
    this.path = path
    this.#places = new Map([...places].map(([tensor, file]) => [tensor, shards.get(file)!]))
    const info = ([tensor, shard]: [string, SafetensorsFile]) =>
      [tensor, requireTensor(tensor, shard.tensors, failIn(shard.path))] as const
    this.tensors = new Map([...this.#places].map(info))
    this.metadata = new Map([...shards.values()].flatMap((shard) => [...shard.metadata]))
  }

  async read(name: string): Promise<StoredTensor> {
    return this.#shardOf(name).read(name)
  }

  async readInto(name: string, target: Float32Array | Float64Array): Promise<void> {
    return this.#shardOf(name).readInto(name, target)
  }

  async close(): Promise<void> {
    for (const shard of new Set(this.#places.values())) await shard.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #shardOf(name: string): SafetensorsFile {
    return requireTensor(name, this.#places, failIn(this.path))
  }
}
