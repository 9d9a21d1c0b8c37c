/**
 * The weights of an LSTM's direction as kernels take them: their arrays, and, where that pays, their packed form, which is
 * kept from call to call for as long as nobody writes into them.
 */
import type { FloatArray, Kernels, LstmParameters, LstmPass, LstmShape } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import type { LstmWeights } from './lstm.ts'

export const weightNames = [
  'weightIh',
  'weightHh',
  'biasIh',
  'biasHh',
  'weightHr',
  'peephole',
  'normIh',
  'normHh',
  'normCell',
] as const satisfies readonly (keyof LstmParameters)[]

export function mapWeights<T>(
  weights: LstmWeights,
  map: (each: Tensor) => T,
): Record<keyof LstmParameters, T | undefined> {
  const of = (each: Tensor | undefined) => each && map(each)
  return {
    weightIh: of(weights.weightIh),
    weightHh: of(weights.weightHh),
    biasIh: of(weights.biasIh),
    biasHh: of(weights.biasHh),
    weightHr: of(weights.weightHr),
    peephole: of(weights.peephole),
    normIh: of(weights.normIh),
    normHh: of(weights.normHh),
    normCell: of(weights.normCell),
  }
}

/** The arrays of the weights as they are now: the optimizer may move them. */
export function arraysOf(weights: LstmWeights): LstmParameters {
  return mapWeights(weights, (each) => each.array as FloatArray) as LstmParameters
}

/** How one pass has used the weights of one direction. */
interface Use {
  layout: string
  versions: readonly number[]
  /** Calls with just these versions. */
  calls: number
  /** Made of just these versions; undefined if nothing is kept. */
  packed: FloatArray | undefined
}

const uses: Record<LstmPass, WeakMap<LstmWeights, Use>> = {
  forward: new WeakMap(),
  backward: new WeakMap(),
  backwardToInput: new WeakMap(),
}

/**
 * The weights packed for a pass, or undefined where the call does better to pack them itself: where they may change unseen
 * (see `Tensor.version`), and where each call meets others, as in training on whole windows, which so keeps nothing. They
 * are packed at the second call that finds them unchanged, and from then on at the first after each change.
 */
export function packedFor(
  pass: LstmPass,
  weights: LstmWeights,
  shape: LstmShape,
  kernels: Kernels,
): FloatArray | undefined {
  const versions = versionsOf(weights)
  if (!versions) {
    uses[pass].delete(weights)
    return undefined
  }
  const { layout } = kernels
  const use = uses[pass].get(weights)
  if (!use) {
    uses[pass].set(weights, { layout, versions, calls: 1, packed: undefined })
    return undefined
  }
  const isSame = use.layout === layout && versions.every((version, i) => version === use.versions[i])
  const pays = isSame || use.calls > 1
  use.calls = isSame ? use.calls + 1 : 1
  if (isSame && use.packed) return use.packed

  // Forgotten before they are overwritten: packing may fail halfway.
  const { packed } = use
  use.packed = undefined
  use.layout = layout
  use.versions = versions
  if (!pays) return undefined
  const { I, H, P, layerNorm } = shape
  use.packed = kernels.lstmPack(pass, { I, H, P, layerNorm, parameters: arraysOf(weights), packed })
  return use.packed
}

/** The tensors' versions, 0 for those left out; undefined if one has none. */
function versionsOf(weights: LstmWeights): number[] | undefined {
  const of = (each: Tensor | undefined) => (each ? (each.version ?? Number.NaN) : 0)
  const versions = [
    of(weights.weightIh),
    of(weights.weightHh),
    of(weights.biasIh),
    of(weights.biasHh),
    of(weights.weightHr),
    of(weights.peephole),
    of(weights.normIh),
    of(weights.normHh),
    of(weights.normCell),
  ]
  return versions.includes(Number.NaN) ? undefined : versions
}
