/** Where the tensors of a layer lie: in a tree of groups (Keras 3), or in a list of names (Keras 2, tfjs). */
import { FileFormatError } from '../../errors.ts'
import type { FloatArray } from '../../kernels/contract.ts'
import type { Hdf5File } from '../hdf5/reader.ts'

/** A tensor in a file. */
export interface StoredWeight {
  /** Its path or name there. */
  name: string
  shape: readonly number[]
  read(): FloatArray
}

/** The tensors of a layer and, under the names that Keras has for these, of the layers inside it. */
export interface Weights {
  /**
   * The tensors of these names, in Keras' order.
   *
   * @throws {FileFormatError} if there are others
   */
  take(names: readonly string[]): StoredWeight[]
  inner(part: InnerPart): Weights & ModelWeights
}

/** The parts that wrappers and recurrent layers keep their layers in. */
export type InnerPart = 'cell' | 'forward_layer' | 'backward_layer' | 'layer'

/** The tensors of a model. */
export interface ModelWeights {
  /** Those of each of its layers, which may be a model in turn. */
  ofLayers(layers: readonly { className: string; name: string }[]): (Weights & ModelWeights)[]
  /** @throws {FileFormatError} if tensors are left that nobody took */
  end(): void
}

/**
 * Keras 3: a group for every layer, called after its class and never after its name, with `vars` whose datasets
 * are numbered: `layers/lstm_1/cell/vars/0`. States of seed generators lie in groups of their own, which nobody asks for.
 */
export class TreeWeights implements Weights, ModelWeights {
  readonly #file: Hdf5File
  readonly #group: string
  readonly #path: string | undefined

  constructor(file: Hdf5File, group: string, path?: string) {
    this.#file = file
    this.#group = group
    this.#path = path
  }

  take(names: readonly string[]): StoredWeight[] {
    const group = `${this.#group}/vars`
    const found = this.#file.children(group)?.length ?? 0
    if (found !== names.length) missing(this.#path, group, names, `${found} tensors`)
    return names.map((_, i) => ({ name: `${group}/${i}`, ...this.#file.dataset(`${group}/${i}`) }))
  }

  inner(part: InnerPart): TreeWeights {
    return new TreeWeights(this.#file, `${this.#group}/${part}`, this.#path)
  }

  ofLayers(layers: readonly { className: string }[]): TreeWeights[] {
    const names = groupNames(layers.map(({ className }) => className))
    return names.map((name) => new TreeWeights(this.#file, `${this.#group}/layers/${name}`, this.#path))
  }

  /** `take` has counted. */
  end(): void {}
}

/** The statistics that a BatchNormalization keeps. */
const running = ['moving_mean', 'moving_variance']

/**
 * The tensors of a layer, or of a model inside the model, as Keras 2 and tfjs have them: one after the other. Names like
 * `lstm_1/lstm_cell/kernel:0` are reliable in their last part only. What is not trained comes behind all that is, those of a
 * model's other layers too.
 */
export class ListedWeights implements Weights, ModelWeights {
  readonly #left: { trained: StoredWeight[]; running: StoredWeight[] }
  readonly #layer: string
  readonly #path: string | undefined
  readonly length: number

  constructor(stored: readonly StoredWeight[], layer: string, path?: string) {
    const isRunning = ({ name }: StoredWeight) => running.includes(lastPart(name))
    this.#left = {
      trained: stored.filter((each) => !isRunning(each)),
      running: stored.filter(isRunning),
    }
    this.#layer = layer
    this.#path = path
    this.length = stored.length
  }

  take(names: readonly string[]): StoredWeight[] {
    const count = names.filter((name) => running.includes(name)).length
    const found = [
      ...this.#left.trained.splice(0, names.length - count),
      ...this.#left.running.splice(0, count),
    ]
    const got = found.map(({ name }) => lastPart(name))
    if (String(got.toSorted()) !== String(names.toSorted()))
      missing(this.#path, `layer ${JSON.stringify(this.#layer)}`, names, String(got))
    return names.map((name) => found[got.indexOf(name)])
  }

  inner(): ListedWeights {
    return this
  }

  ofLayers(layers: readonly object[]): ListedWeights[] {
    return layers.map(() => this)
  }

  end(): void {
    const [left] = [...this.#left.trained, ...this.#left.running]
    if (!left) return
    const { name } = left
    missing(this.#path, `layer ${JSON.stringify(this.#layer)}`, [], JSON.stringify(name))
  }
}

/** `a/b/kernel:0` to kernel. */
function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1).replace(/:\d+$/, '')
}

/** The groups of layers of these classes: the class in snake case, with _1, _2, ... from the second on. */
export function groupNames(classNames: readonly string[]): string[] {
  const counts = new Map<string, number>()
  return classNames.map((className) => {
    const name = snakeCase(className)
    const count = counts.get(name) ?? 0
    counts.set(name, count + 1)
    return count === 0 ? name : `${name}_${count}`
  })
}

/** As Keras does it: `LayerNormalization` is layer_normalization, `LSTM` lstm, `Conv1D` conv1d, `MaxPooling1D` max_pooling1d. */
function snakeCase(name: string): string {
  return name
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
}

function missing(path: string | undefined, place: string, names: readonly string[], found: string): never {
  const expected = names.length === 0 ? 'no more tensors' : names.join(', ')
  throw new FileFormatError(`${path ?? 'Keras'}, ${place}: expected ${expected}, got ${found || 'none'}`, {
    code: 'MissingTensor',
    path,
    tensor: place,
  })
}
