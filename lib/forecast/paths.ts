/**
 * Autoregressive forecasts (Salinas et al. 2020): from the state that the rows before an origin leave, each path draws the next
 * value from the distribution forecast, shows it to the network, and goes on.
 */

import type { Model, Output, State } from '../layers/layer.ts'
import { mapState } from '../layers/state.ts'
import { concat, slice } from '../operations/shape.ts'
import { hash, Random } from '../random.ts'
import { noGrad } from '../tape.ts'
import { Tensor } from '../tensor.ts'
import { writeAhead } from './features.ts'
import { distributionAt, type HeadName, headSize } from './heads.ts'
import { baseAt, inputsAt, type Origin, type WindowShape } from './windows.ts'

/** Sample paths of a forecast. */
export interface SamplePaths {
  horizon: number
  targets: readonly string[]
  origins: readonly number[]
  /** How many from each origin: S. */
  paths: number
  /** [N, S, horizon, K] in the unit of the targets. */
  values: Float64Array
}

/**
 * Paths from origins of prepared series: [N, S, horizon, K]. The numbers of an origin depend on `seed` and its row alone, not on
 * what else is asked for.
 */
export function samplePaths(
  model: Model,
  origins: readonly Origin[],
  { head, paths, seed, ...shape }: WindowShape & { head: HeadName; paths: number; seed: number },
): Float64Array {
  const { input, horizon, difference } = shape
  const [{ features: first }] = origins
  const { K, F } = first
  const size = headSize(head, [])
  const S = paths
  const N = origins.length
  const values = new Float64Array(N * S * horizon * K)
  // [N·S, horizon, K] in the network's unit, which differences go back to.
  const scaled = new Float64Array(N * S * horizon * K)
  const randoms = origins.map(({ row }) => new Random(hash(seed, row)))

  let { output, state } = stepped(model, inputsAt(origins, { input }), null)
  let outputs = lastOf(output)
  state = mapState(state, (each) => repeated(each, S))
  for (let step = 0; step < horizon; step++) {
    const x = new Float32Array(N * S * F)
    for (let path = 0; path < N * S; path++) {
      const n = Math.floor(path / S)
      const { features, row } = origins[n]
      const source = (step === 0 ? n : path) * K * size
      for (let k = 0; k < K; k++) {
        const target = row + step
        const back = difference === 'last' ? 1 : difference === 'none' ? 0 : difference
        // What is subtracted lies before the origin, or is a value this path has drawn.
        const base =
          step >= back && back > 0
            ? scaled[(path * horizon + step - back) * K + k]
            : baseAt(features, { target, known: target, k }, difference)
        const at = (path * horizon + step) * K + k
        const scale = features.scales[k]
        const drawn = distributionAt(head, outputs, source + k * size, { base, scale })
        values[at] = drawn.sample(randoms[n])
        scaled[at] = (values[at] - scale.mean) / scale.deviation
        x[path * F + k] = scaled[at]
      }
      if (step < horizon - 1) writeAhead(features, row + step, x, path * F)
    }
    if (step === horizon - 1) break
    ;({ output, state } = stepped(model, new Tensor([N * S, 1, F], x), state))
    outputs = lastOf(output)
  }
  return values
}

function stepped(model: Model, x: Tensor, state: State): Output {
  return noGrad(() => model.forward(x, { state })) as Output
}

/** The last step of [B, T, O], row by row. */
function lastOf(output: Tensor): Float32Array {
  const [, T] = output.shape
  return noGrad(() => slice(output, { axis: 1, start: T - 1 })).array as Float32Array
}

/** [L, B, R] with each sequence S times: [L, B·S, R]. */
function repeated(state: Tensor, S: number): Tensor {
  const B = state.shape[1]
  const each = Array.from({ length: B }, (_, b) => slice(state, { axis: 1, start: b, end: b + 1 }))
  return noGrad(() =>
    concat(
      each.flatMap((one) => Array.from({ length: S }, () => one)),
      { axis: 1 },
    ),
  )
}
