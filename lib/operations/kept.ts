/** What was made of weights and is kept from call to call for as long as nobody writes into them. */

/** What one place has made of one owner's weights. */
interface Use<P> {
  layout: string
  versions: readonly number[]
  /** Calls with just these versions. */
  calls: number
  /** Made of just these versions; undefined if nothing is kept. */
  packed: P | undefined
}

/**
 * Keeps what is made of weights where that pays. Nothing is made where they may change unseen (see `Tensor.version`), and
 * where each call meets others, as in training on whole windows. They are packed at the second call that finds them
 * unchanged, and from then on at the first after each change.
 */
export class Kept<P> {
  readonly #uses = new WeakMap<object, Use<P>>()

  /**
   * @param owner of the weights, under which they are found again
   * @param versions of the weights; undefined if one has none
   * @param pack makes it, perhaps in the memory of what was made before
   */
  get(
    owner: object,
    layout: string,
    versions: readonly number[] | undefined,
    pack: (before: P | undefined) => P | undefined,
  ): P | undefined {
    if (!versions) {
      this.#uses.delete(owner)
      return undefined
    }
    const use = this.#uses.get(owner)
    if (!use) {
      this.#uses.set(owner, { layout, versions, calls: 1, packed: undefined })
      return undefined
    }
    const isSame = use.layout === layout && versions.every((version, i) => version === use.versions[i])
    const pays = isSame || use.calls > 1
    use.calls = isSame ? use.calls + 1 : 1
    if (isSame && use.packed) return use.packed

    // Forgotten before it is overwritten: packing may fail halfway.
    const { packed } = use
    use.packed = undefined
    use.layout = layout
    use.versions = versions
    if (!pays) return undefined
    use.packed = pack(packed)
    return use.packed
  }
}
