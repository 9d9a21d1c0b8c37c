/** Calls of the kernels of attention, as those of kernel-cases.ts. */
import { type KernelCase, kernelCase, type Size, sizes, sumOf } from './kernel-cases.ts'

/** Every size in each place: columns of keys, of values, keys, queries. */
function attentionOf(size: Size): { D: number; E: number; S: number; T: number } {
  const shape = { D: 5, E: 3, S: 6, T: 2 }
  if (size === 'large') return { D: 129, E: 63, S: 31, T: 9 }
  const place = (['D', 'E', 'S', 'T'] as const)[sizes.indexOf(size) % 4]
  return { ...shape, [place]: size === 1000 ? 300 : size }
}

const masks = ['none', 'keys', 'pairs', 'causal'] as const
const isKept = (_: unknown, i: number) => Number(i % 7 !== 3)
const bytes = (length: number) => new Uint8Array(length).map(isKept)

export const attentionCases: KernelCase[] = [
  ...[0, 1, 2, 3].map((bits) => {
    const transpose = { transposeA: bits % 2 === 1, transposeB: bits > 1 }
    return kernelCase(
      `batchedGemm ${JSON.stringify(transpose)}`,
      (size) => sumOf(size === 'large' ? 33 : size),
      (size, take, kernels) => {
        const [batch, N] = size === 'large' ? [41, 35] : [3, sizes[(sizes.indexOf(size) * 7 + 3) % 13]]
        const [M, K] = size === 'large' ? [31, 33] : [Math.min(size, 65), size]
        const [A, B] = [take(batch * M * K), take(batch * K * N)]
        const [written, accumulated] = [take(batch * M * N), take(batch * M * N)]
        kernels.batchedGemm({ batch, M, N, K, A, B, C: written, ...transpose })
        kernels.batchedGemm({ batch, M, N, K, A, B, C: accumulated, accumulate: true, ...transpose })
        return { written, accumulated }
      },
    )
  }),
  ...[false, true].flatMap((additive) =>
    [...masks, 'none, dropped' as const].map((masked) =>
      kernelCase(
        `${additive ? 'additive ' : ''}attention, mask ${masked}`,
        // Scores carry the rounding of their sum into exp, and the gradients that of the weights into another.
        (size) => 32 + 4 * sumOf(Math.max(...Object.values(attentionOf(size)))),
        (size, take, kernels) => {
          const [B, N] = size === 'large' ? [7, 2] : [2, 3]
          const shape = { B, N, ...attentionOf(size) }
          const { D, E, S, T } = shape
          const [q, k, v] = [take(B * T * N * D), take(B * S * N * D), take(B * S * N * E)]
          const vector = additive ? take(N * D) : undefined
          const drop = masked === 'none, dropped' ? take(B * N * T * S) : undefined
          const given = { ...shape, q, k, v, vector, drop, scale: 1 / Math.sqrt(D) }
          const [y, weights] = [take(B * T * N * E), take(B * N * T * S)]
          const keyMask = masked === 'keys' ? bytes(B * S) : undefined
          const mask = masked === 'pairs' ? bytes(B * T * S) : undefined
          const counted = { keyMask, mask, causal: masked === 'causal' }
          kernels.attentionForward({ ...given, ...counted, y, weights })
          // One memory for all rows.
          const rows = new Int32Array(B).fill(1)
          const shared = { y: take(y.length), weights: take(weights.length) }
          kernels.attentionForward({ ...given, ...counted, rows, ...shared })
          const [dy, dweights] = [take(y.length), take(weights.length)]
          const gradients = { dq: take(q.length), dk: take(k.length), dv: take(v.length) }
          const dvector = additive ? take(N * D) : undefined
          kernels.attentionBackward({ ...given, weights, dy, dweights, ...gradients, dvector })
          const alone = { dq: take(q.length), dk: take(k.length), dv: take(v.length) }
          for (const [name, array] of Object.entries(alone))
            kernels.attentionBackward({ ...given, weights, dy, [name]: array })
          const { dq: dqAlone, dk: dkAlone, dv: dvAlone } = alone
          const all = { y, weights, ySame: shared.y, weightsSame: shared.weights, ...gradients }
          return { ...all, ...(dvector && { dvector }), dqAlone, dkAlone, dvAlone }
        },
      ),
    ),
  ),
  kernelCase(
    'linear with packed weights',
    (size) => sumOf(size === 'large' ? 131 : size),
    (size, take, kernels) => {
      const [N, I, O] = size === 'large' ? [129, 131, 127] : [5, size, Math.min(size, 65)]
      const [x, weight, y] = [take(N * I), take(O * I), take(N * O)]
      const packed = kernels.linearPack({ I, O, weight })
      kernels.linearForward({ N, I, O, x, weight, packed, y })
      return { y }
    },
  ),
]
