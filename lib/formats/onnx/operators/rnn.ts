/** The RNN operator (opsets 1, 7, 14 and 22) with the functions that the layer has: tanh and relu. */
import type { FloatArray } from '../../../kernels/contract.ts'
import type { RnnActivation } from '../../../kernels/contract-rnn.ts'
import { kernelsFor } from '../../../kernels/index.ts'
import { permuted } from '../values.ts'
import type { Call, Operator } from './operator.ts'
import { directionsOf, hiddenSizeOf, lengthsOf, recurrentAttributes, requireInputs } from './recurrent.ts'

export const rnnOperator: Operator = {
  inputs: [3, 6],
  attributes: recurrentAttributes,
  foldable: false,

  /**
   * X [T, B, I], W [D, H, I], R [D, H, H], B [D, 2H], sequence_lens [B] and initial_h [D, B, H] to Y [T, D, B, H] and
   * Y_h [D, B, H]; with layout 1 B stands first in X, Y and the state.
   */
  run(call) {
    const isBatchFirst = call.integer('layout', 0) === 1
    if (call.floats(0).shape.length !== 3)
      throw new RangeError(`expected X of three axes, got [${call.floats(0).shape}]`)
    const x = isBatchFirst ? call.floats(0) : permuted(call.floats(0), [1, 0, 2], call.memory)
    const [B, T, I] = x.shape
    if (I === 0) throw new RangeError(`expected X with features, got [${call.floats(0).shape}]`)
    const directions = directionsOf(call)
    const D = directions.length
    const H = hiddenSizeOf(call)
    requireInputs(call, [
      ['W', 1, [D, H, I]],
      ['R', 2, [D, H, H]],
      ['B', 3, [D, 2 * H]],
      ['initial_h', 5, isBatchFirst ? [B, D, H] : [D, B, H]],
    ])
    const functions = activationsOf(call, D)
    const lengths = lengthsOf(call, { B, T })
    call.memory.step(D * T * B * H * (I + H))

    const turn = (i: number) =>
      isBatchFirst ? permuted(call.floats(i), [1, 0, 2], call.memory) : call.floats(i)
    const part = (data: FloatArray, d: number, count = D) =>
      data.subarray((d * data.length) / count, ((d + 1) * data.length) / count)
    const [w, r, b] = [call.floats(1).data, call.floats(2).data, call.inputs[3] && call.floats(3).data]
    const h0 = call.inputs[5] && (turn(5).data as FloatArray)
    const array = (...shape: number[]) => call.memory.array(x.type, shape) as FloatArray
    const [y, hn, a] = [array(T, B, D, H), array(D, B, H), array(B, T, H)]
    const kernels = kernelsFor(w)
    for (const [d, direction] of directions.entries()) {
      if (B === 0) break
      const [biasIh, biasHh] = [0, 1].map((half) => b && part(part(b, d), half, 2))
      const xs = x.data as FloatArray
      if (T > 0) kernels.linearForward({ N: B * T, I, O: H, x: xs, weight: part(w, d), bias: biasIh, y: a })
      kernels.rnnForward({
        ...{ B, T, H, activation: functions[d], reverse: direction === 'reverse', lengths, a },
        ...{ weightHh: part(r, d), biasHh, h0: h0 && part(h0, d), hn: part(hn, d) },
        y: y.subarray(d * (isBatchFirst ? H : B * H)),
        yBatchStride: isBatchFirst ? T * D * H : H,
        yTimeStride: D * (isBatchFirst ? H : B * H),
      })
    }
    const state = { type: x.type, shape: [D, B, H], data: hn }
    return [
      { type: x.type, shape: isBatchFirst ? [B, T, D, H] : [T, D, B, H], data: y },
      isBatchFirst ? permuted(state, [1, 0, 2], call.memory) : state,
    ]
  },
}

/** f of each direction. */
export function activationsOf(call: Call, D: number): RnnActivation[] {
  const names = call.texts('activations') ?? Array.from({ length: D }, () => 'Tanh')
  if (names.length !== D) throw new RangeError(`expected ${D} activations, got [${names}]`)
  if (call.number('clip', 0) !== 0) throw new TypeError('clip is not supported')
  return names.map((name) => {
    const lower = name.toLowerCase()
    if (lower === 'tanh' || lower === 'relu') return lower
    throw new TypeError(`the activation ${name} is not supported; supported: Tanh, Relu`)
  })
}
