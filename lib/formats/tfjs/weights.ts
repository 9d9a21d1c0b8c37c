/** The tensors of a TensorFlow.js model: specifications in model.json, numbers one behind the other in shards. */
import { describe, FileFormatError } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import { invalid, record, type Source } from '../keras/layer-config.ts'
import { isModel } from '../keras/topology.ts'
import { ListedWeights, type ModelWeights, type StoredWeight } from '../keras/weights.ts'
import { decodeElements, type StoredType } from '../safetensors/types.ts'

/** Tensors that lie in the same shards. */
interface Group {
  paths: readonly string[]
  specifications: readonly Specification[]
}

interface Specification {
  name: string
  shape: readonly number[]
  stored: StoredType
  /** value·scale + min for integers that stand for floats. */
  scale?: number
  min?: number
}

/** What a tensor's numbers are in the shards, by its type or by that of its quantization. */
const storedTypes = new Map<unknown, StoredType>([
  ['float32', 'F32'],
  ['float16', 'F16'],
  ['uint8', 'U8'],
  ['uint16', 'U16'],
])

const bytesOf: Partial<Record<StoredType, number>> = { F32: 4, F16: 2, U16: 2, U8: 1 }

/** The shards that a manifest names. */
export function readManifest(source: Source, manifest: unknown): Group[] {
  if (!Array.isArray(manifest))
    return invalid(source, `expected weightsManifest in a list, got ${describe(manifest)}`)
  return manifest.map((group) => {
    const { paths, weights } = record(source, group, 'a group of weights')
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string') || !Array.isArray(weights))
      return invalid(source, 'expected paths and weights in a group of weights')
    return { paths, specifications: weights.map((weight) => readSpecification(source, weight)) }
  })
}

function readSpecification(source: Source, value: unknown): Specification {
  const { name, shape, dtype, quantization } = record(source, value, 'a weight')
  if (typeof name !== 'string') return invalid(source, 'a weight has no name')
  const isShape = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0)
  if (!isShape) return invalid(source, `expected the shape of ${name} in integers`)
  const coded =
    quantization === undefined ? undefined : record(source, quantization, `the quantization of ${name}`)
  const stored = storedTypes.get(coded ? coded.dtype : dtype)
  if (dtype !== 'float32' || stored === undefined || (!coded && stored !== 'F32')) {
    const message = `weight ${name}: expected float32, plain or coded as float16, uint8 or uint16`
    throw new FileFormatError(
      `${source.path ?? 'tfjs'}, ${message}; got ${describe(coded ? coded.dtype : dtype)}`,
      {
        code: 'UnsupportedDataType',
        path: source.path,
        tensor: name,
      },
    )
  }
  if (stored === 'F32' || stored === 'F16') return { name, shape, stored }
  const { scale, min } = coded!
  if (typeof scale !== 'number' || typeof min !== 'number')
    return invalid(source, `expected scale and min in the quantization of ${name}`)
  return { name, shape, stored, scale, min }
}

/** The tensors of a group, cut out of its shards. @throws {FileFormatError} if these are shorter or longer */
export function cutShards(
  source: Source,
  { paths, specifications }: Group,
  shards: readonly Uint8Array[],
): StoredWeight[] {
  const lengths = specifications.map(({ shape, stored }) =>
    shape.reduce((product, n) => product * n, bytesOf[stored]!),
  )
  const expected = lengths.reduce((sum, length) => sum + length, 0)
  const found = shards.reduce((sum, { length }) => sum + length, 0)
  if (expected !== found) {
    const message = `expected ${expected} bytes in ${paths.join(', ')}, got ${found}`
    throw new FileFormatError(`${source.path ?? 'tfjs'}: ${message}; copy the model again`, {
      code: 'Truncated',
      path: source.path,
    })
  }
  const bytes = shards.length === 1 ? shards[0] : joined(shards, found)
  let end = 0
  return specifications.map((specification, i) => {
    const start = end
    end += lengths[i]
    const { name, shape } = specification
    return { name, shape, read: () => toFloats(specification, bytes.subarray(start, start + lengths[i])) }
  })
}

/** Tensors may begin in one shard and end in the next. */
function joined(shards: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length)
  let at = 0
  for (const shard of shards) {
    all.set(shard, at)
    at += shard.length
  }
  return all
}

function toFloats({ stored, scale, min }: Specification, bytes: Uint8Array): FloatArray {
  const elements = decodeElements(stored, bytes) as Float32Array | Uint16Array | Uint8Array
  if (elements instanceof Float32Array) return elements
  return Float32Array.from(elements, (code) => code * scale! + min!)
}

/** Tensors in any order, by the names of their layers, which stand somewhere in theirs: `bidirectional_1/forward_lstm_2/kernel`. */
export class TfjsWeights implements ModelWeights {
  readonly #stored: readonly StoredWeight[]
  readonly #path: string | undefined
  readonly #byLayer = new Map<string, StoredWeight[]>()
  readonly #asked = new Set<StoredWeight>()

  constructor(stored: readonly StoredWeight[], path?: string) {
    this.#stored = stored
    this.#path = path
    for (const each of stored) {
      for (const part of new Set(each.name.split('/').slice(0, -1))) {
        const known = this.#byLayer.get(part)
        if (known) known.push(each)
        else this.#byLayer.set(part, [each])
      }
    }
  }

  ofLayers(layers: readonly { className: string; name: string }[]): LayerWeights[] {
    return layers.map((layer) => {
      // The layers of a model inside the model are asked for by their own names.
      const own = isModel(layer) ? [] : (this.#byLayer.get(layer.name) ?? [])
      for (const each of own) this.#asked.add(each)
      return new LayerWeights(this, own.toSorted(byDirection), layer.name, this.#path)
    })
  }

  end(): void {
    const stray = this.#stored.find((each) => !this.#asked.has(each))
    if (!stray) return
    throw new FileFormatError(
      `${this.#path ?? 'tfjs'}, weight ${stray.name}: the model has no layer for it`,
      {
        code: 'UnexpectedTensor',
        path: this.#path,
        tensor: stray.name,
      },
    )
  }
}

/** The tensors of a Bidirectional stand in any order: its forward layer's first, by the names that it gives its layers. */
function byDirection(a: StoredWeight, b: StoredWeight): number {
  const isBackward = ({ name }: StoredWeight) => Number(/(^|\/)backward_[^/]+\//.test(name))
  return isBackward(a) - isBackward(b)
}

class LayerWeights extends ListedWeights {
  readonly #model: TfjsWeights

  constructor(model: TfjsWeights, stored: readonly StoredWeight[], layer: string, path: string | undefined) {
    super(stored, layer, path)
    this.#model = model
  }

  override ofLayers(layers: readonly { className: string; name: string }[]): ListedWeights[] {
    return this.#model.ofLayers(layers)
  }
}
