/** The LSTM operator (opsets 1, 7, 14 and 22), whole. Its layouts are strides of the kernels: X and Y are not copied. */
import type { FloatArray } from '../../../kernels/contract.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import type { LstmWeights } from '../../../operations/lstm.ts'
import { lstmVariant } from '../../../operations/lstm-variant.ts'
import { arraysOf, packedFor } from '../../../operations/lstm-weights.ts'
import { Tensor } from '../../../tensor.ts'
import { permuted, type Value } from '../values.ts'
import { variantsOf } from './lstm-variant.ts'
import type { Call, Operator } from './operator.ts'
import { directionsOf, hiddenSizeOf, lengthsOf, recurrentAttributes, requireInputs } from './recurrent.ts'

type Floats = Value & { readonly data: FloatArray }

/** Where our blocks i, f, g, o stand among ONNX's i, o, f, c. */
const gates = [0, 2, 3, 1]
/** Where our peepholes i, f, o stand among ONNX's i, o, f. */
const peepholes = [0, 2, 1]

export const lstmOperator: Operator = {
  inputs: [3, 8],
  attributes: { ...recurrentAttributes, input_forget: 'int' },
  foldable: false,

  /**
   * X [T, B, I], W [D, 4H, I], R [D, 4H, H], B [D, 8H], sequence_lens [B], initial_h and initial_c [D, B, H],
   * P [D, 3H] to Y [T, D, B, H], Y_h and Y_c [D, B, H]; with layout 1 B stands first in X, Y and the states. All
   * directions write Y in the order of X.
   */
  run(call) {
    const [x, w] = [call.floats(0), call.floats(1)]
    const isBatchFirst = call.integer('layout', 0) === 1
    if (x.shape.length !== 3) throw new RangeError(`expected X of three axes, got [${x.shape}]`)
    const I = x.shape[2]
    const [T, B] = isBatchFirst ? [x.shape[1], x.shape[0]] : x.shape
    const D = directionsOf(call).length
    const H = hiddenSizeOf(call)
    requireShapes(call, { D, B, I, H })
    const variants = variantsOf(call, D).map(lstmVariant)
    call.memory.step(D * T * B * 4 * H * (I + H))

    const weights = call.once([1, 2, 3, 7], () => weightsOf(call, { D, I, H }))
    const lengths = lengthsOf(call, { B, T })
    const initial = (i: number) => {
      if (!call.inputs[i]) return undefined
      return isBatchFirst ? (permuted(call.floats(i), [1, 0, 2], call.memory) as Floats) : call.floats(i)
    }
    const [h0, c0] = [initial(5), initial(6)]
    const array = (...shape: number[]) => call.memory.array(x.type, shape) as FloatArray
    const [y, hn, cn] = [array(T, B, D, H), array(D, B, H), array(D, B, H)]
    const rows = (of: FloatArray, d: number) => of.subarray(d * B * H, (d + 1) * B * H)
    if (B > 0) {
      const kernels = kernelsFor(x.data)
      const shape = { B, T, I, H, P: 0, layerNorm: false }
      kernels.lstmForward(
        directionsOf(call).map((direction, d) => ({
          B,
          T,
          I,
          H,
          P: 0,
          layerNorm: false,
          reverse: direction === 'reverse',
          variant: variants[d],
          lengths,
          parameters: arraysOf(weights[d]),
          packed: packedFor('forward', weights[d], shape, kernels),
          x: x.data,
          xBatchStride: isBatchFirst ? T * I : I,
          xTimeStride: isBatchFirst ? I : B * I,
          h0: h0 && rows(h0.data, d),
          c0: c0 && rows(c0.data, d),
          eps: 0,
          y: y.subarray(d * (isBatchFirst ? H : B * H)),
          yBatchStride: isBatchFirst ? T * D * H : H,
          yTimeStride: D * (isBatchFirst ? H : B * H),
          hn: rows(hn, d),
          cn: rows(cn, d),
        })),
      )
    }
    const state = (data: FloatArray) => {
      const value = { type: w.type, shape: [D, B, H], data }
      return isBatchFirst ? permuted(value, [1, 0, 2], call.memory) : value
    }
    const shape = isBatchFirst ? [B, T, D, H] : [T, D, B, H]
    return [{ type: w.type, shape, data: y }, state(hn), state(cn)]
  },
}

function requireShapes(call: Call, { D, B, I, H }: { D: number; B: number; I: number; H: number }): void {
  const states = call.integer('layout', 0) === 1 ? [B, D, H] : [D, B, H]
  requireInputs(call, [
    ['W', 1, [D, 4 * H, I]],
    ['R', 2, [D, 4 * H, H]],
    ['B', 3, [D, 8 * H]],
    ['initial_h', 5, states],
    ['initial_c', 6, states],
    ['P', 7, [D, 3 * H]],
  ])
}

type WeightName = 'weightIh' | 'weightHh' | 'biasIh' | 'biasHh' | 'peephole'

/**
 * Every direction's weights in our order.
 *
 * @param arrayFor where they are to be written; default: new arrays
 */
export function weightsOf(
  call: Call,
  { D, I, H }: { D: number; I: number; H: number },
  arrayFor?: (name: WeightName, d: number) => FloatArray,
): LstmWeights[] {
  const [w, r, b, p] = [call.input(1), call.input(2), call.inputs[3], call.inputs[7]]
  return Array.from({ length: D }, (_, d) => {
    const reorder = (
      name: WeightName,
      value: Value,
      blocks: readonly number[],
      shape: readonly number[],
      offset = 0,
    ): Tensor => {
      const y = arrayFor?.(name, d) ?? (call.memory.array(value.type, shape) as FloatArray)
      const size = y.length / blocks.length
      const first = (d * value.data.length) / D + offset
      for (const [position, block] of blocks.entries()) {
        const start = first + block * size
        y.set(value.data.subarray(start, start + size), position * size)
      }
      return new Tensor(shape, y)
    }
    return {
      weightIh: reorder('weightIh', w, gates, [4 * H, I]),
      weightHh: reorder('weightHh', r, gates, [4 * H, H]),
      biasIh: b && reorder('biasIh', b, gates, [4 * H]),
      biasHh: b && reorder('biasHh', b, gates, [4 * H], 4 * H),
      peephole: p && reorder('peephole', p, peepholes, [3, H]),
    }
  })
}
