/** Calls of the kernels on images and of batch normalisation, as those of kernel-cases.ts. */
import type { FloatArray } from '../../lib/kernels/contract.ts'
import { type Padding, type WindowOptions, windowsOver } from '../../lib/kernels/windows.ts'
import { type KernelCase, kernelCase, matrixOf, positive, type Size, sizes, sumOf } from './kernel-cases.ts'

type Pair = readonly [rows: number, columns: number]

interface ImageCase {
  size: Pair
  stride: Pair
  dilation: Pair
  padding: readonly [Padding, Padding]
  groups?: number | 'depthwise'
}

const convolutions: ImageCase[] = [
  { size: [1, 1], stride: [1, 1], dilation: [1, 1], padding: ['valid', 'valid'] },
  { size: [3, 3], stride: [1, 1], dilation: [1, 1], padding: ['same', 'same'] },
  { size: [2, 4], stride: [2, 1], dilation: [1, 2], padding: ['causal', 3] },
  { size: [3, 2], stride: [1, 3], dilation: [2, 1], padding: [2, 'valid'], groups: 2 },
  { size: [3, 3], stride: [2, 2], dilation: [1, 1], padding: ['same', 'same'], groups: 'depthwise' },
]

/** Rows, columns, channels in and out: every size in each place; the large one takes several turns of images. */
function imageOf(size: Size): [H: number, W: number, inputs: number, outputs: number] {
  if (size === 'large') return [40, 41, 9, 17]
  const i = sizes.indexOf(size)
  return [
    [Math.min(size, 129), 7, 3, 5],
    [6, Math.min(size, 129), 2, 7],
    [5, 7, Math.min(size, 65), 6],
    [7, 5, 3, Math.min(size, 65)],
  ][i % 4] as [number, number, number, number]
}

export const imageCases: KernelCase[] = [
  ...convolutions.map(({ groups: asked = 1, ...window }) =>
    kernelCase(
      `conv2d ${JSON.stringify({ ...window, groups: asked })}`,
      // A weight's gradient sums over all windows.
      (size) => {
        const [H, W, inputs, outputs] = imageOf(size)
        return sumOf(2 * Math.max(H * W, 16 * inputs, 16 * outputs))
      },
      (size, take, kernels) => {
        const [H, W, inputs, outs] = imageOf(size)
        const [groups, width, outputs] = asked === 'depthwise' ? [inputs, 1, 2] : [asked, inputs, outs]
        const along = (axis: 0 | 1): WindowOptions => ({
          size: window.size[axis],
          stride: window.stride[axis],
          dilation: window.dilation[axis],
          padding: window.padding[axis],
        })
        const [rows, columns] = [windowsOver(H, along(0)), windowsOver(W, along(1))]
        const [B, I, O] = [size === 'large' ? 6 : 2, width * groups, outputs * groups]
        const [places, results] = [B * H * W * I, B * rows.S * columns.S * O]
        const weights = O * width * rows.size * columns.size
        const call = { B, I, O, groups, rows, columns, x: take(places), weight: take(weights) }
        const [y, biased] = [take(results), take(results)]
        kernels.conv2dForward({ ...call, y })
        kernels.conv2dForward({ ...call, bias: take(O), y: biased })
        const [dy, dx, dweight, dbias] = [take(results), take(places), take(weights), take(O)]
        kernels.conv2dBackward({ ...call, dy, dx, dweight, dbias })
        const alone = { dx: take(places), dweight: take(weights), dbias: take(O) }
        for (const [name, array] of Object.entries(alone))
          kernels.conv2dBackward({ ...call, dy, [name]: array })
        const { dx: dxAlone, dweight: dweightAlone, dbias: dbiasAlone } = alone
        return { y, biased, dx, dweight, dbias, dxAlone, dweightAlone, dbiasAlone }
      },
    ),
  ),
  ...[
    { masked: false, affine: true, ofBatch: true },
    { masked: true, affine: false, ofBatch: true },
    { masked: true, affine: true, ofBatch: false },
  ].map(({ masked, affine, ofBatch }) =>
    kernelCase(
      `batch normalisation ${JSON.stringify({ masked, affine, ofBatch })}`,
      // Over few rows the normalised numbers are differences of close ones; sums are made in double.
      () => 32,
      (size, take, kernels) => {
        const [rows, C] = matrixOf(size)
        const N = rows + 2
        const mask = masked ? Uint8Array.from({ length: N }, (_, n) => Number(n % 5 < 3)) : undefined
        const [gain, shift] = affine ? [take(C), take(C)] : []
        const x = take(N * C)
        const [mean, variance] = [take(C), take(C, positive)]
        const moments: Record<string, FloatArray> = { mean: take(C), variance: take(C) }
        kernels.batchNormStatistics({ N, C, mask, x, mean: moments.mean, variance: moments.variance })
        const own = ofBatch ? { mean: moments.mean, variance: moments.variance } : { mean, variance }
        // So much that rounding of the statistics is not what a gradient over two rows consists of.
        const call = { N, C, x, ...own, gain, eps: 0.1 }
        const y = take(N * C)
        kernels.batchNormForward({ ...call, shift, y })
        const gradients = { dx: take(N * C), dgain: take(C), dshift: take(C) }
        kernels.batchNormBackward({ ...call, ofBatch, mask, dy: take(N * C), ...gradients })
        return { y, ...moments, ...gradients }
      },
    ),
  ),
]
