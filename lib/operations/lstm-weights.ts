/**
 * The weights of an LSTM's direction as kernels take them: their arrays, and, where that pays, their packed form, which is
 * kept from call to call for as long as nobody writes into them.
 */
import type { FloatArray, Kernels, LstmParameters, LstmPass, LstmShape } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import { Kept } from './kept.ts'
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

const kept: Record<LstmPass, Kept<FloatArray>> = {
  forward: new Kept(),
  backward: new Kept(),
  backwardToInput: new Kept(),
}

/** The weights packed for a pass, or undefined where the call does better to pack them itself: see `Kept`. */
export function packedFor(
  pass: LstmPass,
  weights: LstmWeights,
  shape: LstmShape,
  kernels: Kernels,
): FloatArray | undefined {
  const { I, H, P, layerNorm } = shape
  return kept[pass].get(weights, kernels.layout, versionsOf(weights), (packed) =>
    kernels.lstmPack(pass, { I, H, P, layerNorm, parameters: arraysOf(weights), packed }),
  )
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
