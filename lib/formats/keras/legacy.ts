/** Weights in the older form of Keras' HDF5 files: lists of names, in attributes that may be cut into chunks. */
import type { Hdf5File } from '../hdf5/reader.ts'
import { ListedWeights, type ModelWeights } from './weights.ts'

/** The tensors of each layer, by its name: in `/model_weights` of a whole model, in `/` of weights alone. */
export class LegacyWeights implements ModelWeights {
  readonly #layers: ReadonlyMap<string, ListedWeights>
  readonly #path: string | undefined

  constructor(file: Hdf5File, group: string, path?: string) {
    const place = (layer: string) => `${group === '/' ? '' : group}/${layer}`
    this.#path = path
    this.#layers = new Map(
      listOf(file, group, 'layer_names').map((layer) => {
        const names = listOf(file, place(layer), 'weight_names')
        const stored = names.map((name) => ({ name, ...file.dataset(`${place(layer)}/${name}`) }))
        return [layer, new ListedWeights(stored, layer, path)]
      }),
    )
  }

  ofLayers(layers: readonly { name: string }[]): ListedWeights[] {
    return layers.map(({ name }) => this.#layers.get(name) ?? new ListedWeights([], name, this.#path))
  }

  /** The layers that have tensors, in their order. */
  filled(): ListedWeights[] {
    return [...this.#layers.values()].filter(({ length }) => length > 0)
  }

  end(): void {}
}

/** A list that is too long for one attribute stands in `name0`, `name1`, ... */
function listOf(file: Hdf5File, place: string, name: string): readonly string[] {
  const whole = file.attribute(place, name)
  if (whole) return whole
  const all: string[] = []
  for (let i = 0; ; i++) {
    const chunk = file.attribute(place, `${name}${i}`)
    if (!chunk) return all
    all.push(...chunk)
  }
}
