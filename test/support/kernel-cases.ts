/** Calls of every kernel beside the LSTM, each at a size, in either precision, on either back end: same numbers in. */
import type { Binary, FloatArray, Kernels, Unary } from '../../lib/kernels/contract.ts'
import { type WindowOptions, windowsOver } from '../../lib/kernels/windows.ts'
import { Random } from '../../lib/random.ts'

/** Around the width of every vector and tile; 1000 goes beyond a chunk of a product's sum. */
export const sizes = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 1000]
/** An awkward size, or one at which four threads have work. */
export type Size = number | 'large'
export type Result = Record<string, FloatArray>
type FloatType = Float32ArrayConstructor | Float64ArrayConstructor

export interface KernelCase {
  name: string
  /** The arrays that the kernel wrote. */
  run(size: Size, type: FloatType, kernels: Kernels): Result
  /** How many roundings of 2⁻²⁴ the norm of each may be off. */
  roundings(size: Size): number
}

/** Draws the same float32 numbers whatever the type. */
export type Take = (length: number, map?: (value: number) => number) => FloatArray

/** Room for the largest array, wherever it begins. */
const normals = new Float32Array(500_000)
const random = new Random(11)
for (let i = 0; i < normals.length; i++) normals[i] = random.normal()

export function kernelCase(
  name: string,
  roundings: (size: Size) => number,
  run: (size: Size, take: Take, kernels: Kernels) => Result,
): KernelCase {
  return {
    name,
    roundings,
    run(size, type, kernels) {
      let drawn = 0
      const take: Take = (length, map) => {
        drawn = (drawn + 1013) % 100_000
        const drawnNow = normals.subarray(drawn, drawn + length)
        return new type(map ? drawnNow.map(map) : drawnNow)
      }
      return run(size, take, kernels)
    },
  }
}

const lengthOf = (size: Size) => (size === 'large' ? 100_003 : size)

/** Rows and columns: every size in each place, never both large. */
export function matrixOf(size: Size): [rows: number, columns: number] {
  if (size === 'large') return [3001, 129]
  const i = sizes.indexOf(size)
  return [size, sizes[(i * 7 + 3) % 16]]
}

function productOf(size: Size): [M: number, N: number, K: number] {
  if (size === 'large') return [129, 127, 131]
  const i = sizes.indexOf(size)
  return [size, sizes[(i * 7 + 3) % 16], sizes[(i * 11 + 5) % 16]]
}

/** Steps, and channels in and out: every size in each place. */
function channelsOf(size: Size): [T: number, inputs: number, outputs: number] {
  if (size === 'large') return [301, 33, 65]
  const i = sizes.indexOf(size)
  return [
    [size, 9, 5],
    [11, size, 6],
    [12, 3, size],
  ][i % 3] as [number, number, number]
}

/** `depthwise`: a group for each channel in. */
const convolutions: (WindowOptions & { groups?: number | 'depthwise' })[] = [
  { size: 1, stride: 1, dilation: 1, padding: 'valid' },
  { size: 3, stride: 1, dilation: 1, padding: 'same' },
  { size: 4, stride: 2, dilation: 1, padding: 'causal' },
  { size: 2, stride: 1, dilation: 3, padding: 3, groups: 2 },
  { size: 3, stride: 3, dilation: 1, padding: 'same', groups: 3 },
  { size: 3, stride: 1, dilation: 1, padding: 'same', groups: 'depthwise' },
  { size: 4, stride: 2, dilation: 3, padding: 4, groups: 'depthwise' },
]

interface PoolCase extends Omit<WindowOptions, 'size'> {
  size: number | 'all'
  masked: boolean
  countPadding: boolean
}
const pools: PoolCase[] = [
  { size: 2, stride: 2, dilation: 1, padding: 'same', masked: false, countPadding: false },
  { size: 5, stride: 2, dilation: 1, padding: 2, masked: true, countPadding: true },
  { size: 'all', stride: 1, dilation: 1, padding: 'valid', masked: true, countPadding: false },
]

/** What a sum of K float32 terms may lose in the norm: 4·ceil(log2 K) units of 2⁻²³. */
export const sumOf = (K: number) => 8 * Math.max(1, Math.ceil(Math.log2(K)))

export const positive = (value: number) => value * value + 0.01
const away = (value: number) => value + Math.sign(value) * 0.1
/** So far from 0 that nothing added later cancels it. */
const far = (value: number) => value + Math.sign(value) * 4

/** alpha and beta of the functions that have them. */
export const numbers = [0.3, 0.4] as const

export const unaryKinds: Unary[] = [
  'exp',
  'log',
  'sigmoid',
  'tanh',
  'relu',
  'gelu',
  'softplus',
  'square',
  'sqrt',
  'abs',
  'negate',
  'geluTanh',
  'relu6',
  'selu',
  'softsign',
  'silu',
  'hardSilu',
  'mish',
  'leakyRelu',
  'elu',
  'hardSigmoid',
]
const binaryKinds: Binary[] = ['add', 'subtract', 'multiply', 'divide', 'maximum', 'minimum']

export const kernelCases: KernelCase[] = [
  ...unaryKinds.map((kind) =>
    // 2.7 ulp of at most two units each is the worst of the functions; the gradient adds three roundings.
    kernelCase(
      kind,
      () => 8,
      (size, take, kernels) => {
        const n = lengthOf(size)
        const x = take(n, kind === 'log' || kind === 'sqrt' ? positive : undefined)
        const [y, dx] = [take(n), take(n)]
        const [alpha, beta] = numbers
        kernels.unaryForward(kind, x, y, alpha, beta)
        kernels.unaryBackward(kind, { x, y, dy: take(n), dx, alpha, beta })
        return { y, dx }
      },
    ),
  ),
  ...binaryKinds.map((kind) =>
    kernelCase(
      kind,
      () => 1,
      (size, take, kernels) => {
        const [a, b, y] = [take(lengthOf(size)), take(lengthOf(size), away), take(lengthOf(size))]
        kernels.binary(kind, a, b, y)
        return { y }
      },
    ),
  ),
  kernelCase(
    'axpy and multiplyAdd',
    () => 2, // a product and a sum, where the target does not fuse them
    (size, take, kernels) => {
      const n = lengthOf(size)
      const [scaled, multiplied] = [take(n), take(n)]
      kernels.axpy(-0.75, take(n), scaled)
      kernels.multiplyAdd(take(n), take(n), multiplied)
      return { scaled, multiplied }
    },
  ),
  kernelCase(
    'addRows and sumRows',
    (size) => sumOf(matrixOf(size)[0]),
    (size, take, kernels) => {
      const [N, F] = matrixOf(size)
      const [added, sums] = [take(N * F), take(F)]
      kernels.addRows(take(F), added)
      kernels.sumRows(take(N * F), sums)
      return { added, sums }
    },
  ),
  ...[0, 1, 2, 3].map((bits) => {
    const transpose = { transposeA: bits % 2 === 1, transposeB: bits > 1 }
    return kernelCase(
      `gemm ${JSON.stringify(transpose)}`,
      (size) => sumOf(productOf(size)[2]),
      (size, take, kernels) => {
        const [M, N, K] = productOf(size)
        const [A, B, written, accumulated] = [take(M * K), take(K * N), take(M * N), take(M * N)]
        kernels.gemm({ M, N, K, A, B, C: written, ...transpose })
        kernels.gemm({ M, N, K, A, B, C: accumulated, accumulate: true, ...transpose })
        return { written, accumulated }
      },
    )
  }),
  kernelCase(
    'linear',
    (size) => sumOf(Math.max(...productOf(size))),
    (size, take, kernels) => {
      const [N, I, O] = productOf(size)
      const call = { N, I, O, x: take(N * I), weight: take(O * I), y: take(N * O) }
      const biased = take(N * O)
      kernels.linearForward(call)
      kernels.linearForward({ ...call, bias: take(O), y: biased })
      const [dx, dweight, dbias, dy] = [take(N * I), take(O * I), take(O), take(N * O)]
      kernels.linearBackward({ ...call, dy, dx, dweight, dbias })
      const alone = { dx: take(N * I), dweight: take(O * I), dbias: take(O) }
      for (const [name, array] of Object.entries(alone))
        kernels.linearBackward({ ...call, dy, [name]: array })
      const { dx: dxAlone, dweight: dweightAlone, dbias: dbiasAlone } = alone
      return { y: call.y, biased, dx, dweight, dbias, dxAlone, dweightAlone, dbiasAlone }
    },
  ),
  kernelCase(
    'embedding',
    (size) => sumOf(matrixOf(size)[0]),
    (size, take, kernels) => {
      const [N, E] = matrixOf(size)
      const indices = Int32Array.from({ length: N }, (_, n) => (n * n) % 5)
      const [y, dweight] = [take(N * E), take(5 * E)]
      kernels.embeddingForward({ N, E, indices, weight: take(5 * E), y })
      kernels.embeddingBackward({ N, E, indices, dy: take(N * E), dweight })
      return { y, dweight }
    },
  ),
  ...convolutions.map((options) =>
    kernelCase(
      `conv1d ${JSON.stringify(options)}`,
      (size) => sumOf(4 * Math.max(...channelsOf(size))),
      (size, take, kernels) => {
        const { groups: asked = 1, ...window } = options
        const [T, inputs, outs] = channelsOf(size)
        const isDepthwise = asked === 'depthwise'
        const [groups, width, outputs] = isDepthwise ? [inputs, 1, 2] : [asked, inputs, outs]
        const [B, I, O] = [2, width * groups, outputs * groups]
        const windows = windowsOver(T, window)
        const rows = B * windows.S
        const weights = O * width * window.size
        const call = { ...windows, B, I, O, groups, x: take(B * T * I), weight: take(weights) }
        const [y, biased] = [take(rows * O), take(rows * O)]
        kernels.conv1dForward({ ...call, y })
        kernels.conv1dForward({ ...call, bias: take(O), y: biased })
        const [dy, dx, dweight, dbias] = [take(rows * O), take(B * T * I), take(weights), take(O)]
        kernels.conv1dBackward({ ...call, dy, dx, dweight, dbias })
        const alone = { dx: take(B * T * I), dweight: take(weights), dbias: take(O) }
        for (const [name, array] of Object.entries(alone))
          kernels.conv1dBackward({ ...call, dy, [name]: array })
        const { dx: dxAlone, dweight: dweightAlone, dbias: dbiasAlone } = alone
        return { y, biased, dx, dweight, dbias, dxAlone, dweightAlone, dbiasAlone }
      },
    ),
  ),
  ...pools.flatMap(({ masked, countPadding, ...window }) =>
    (['max', 'average'] as const).map((kind) =>
      kernelCase(
        `${kind} pool1d ${JSON.stringify({ ...window, masked, countPadding })}`,
        // A mean's terms cancel: its rounding is one of their magnitudes.
        (size) => sumOf(window.size === 'all' ? channelsOf(size)[0] : window.size),
        (size, take, kernels) => {
          const [T, C] = channelsOf(size)
          const B = 2
          const windows = windowsOver(T, { ...window, size: window.size === 'all' ? T : window.size })
          const mask = masked ? Uint8Array.from({ length: B * T }, (_, t) => Number(t % 5 < 3)) : undefined
          const [x, y, dx] = [take(B * T * C), take(B * windows.S * C), take(B * T * C)]
          const call = { ...windows, B, C, mask, countPadding, x, y }
          kernels.pool1dForward(kind, call)
          kernels.pool1dBackward(kind, { ...call, dy: take(y.length), dx })
          return { y, dx }
        },
      ),
    ),
  ),
  ...[false, true].map((affine) =>
    kernelCase(
      affine ? 'layerNorm with gain and shift' : 'layerNorm without gain and shift',
      // eps is so large that the inverse deviation multiplies no error by more than 10.
      (size) => 2 * sumOf(Math.max(...matrixOf(size))),
      (size, take, kernels) => {
        const [N, F] = matrixOf(size)
        const parameters = affine ? { gain: take(F), shift: take(F) } : {}
        const call = {
          N,
          F,
          x: take(N * F),
          ...parameters,
          eps: 0.01,
          mean: take(N),
          rstd: take(N),
          y: take(N * F),
        }
        kernels.layerNormForward(call)
        const gradients = { dx: take(N * F), dgain: take(F), dshift: take(F) }
        kernels.layerNormBackward({ ...call, dy: take(N * F), ...gradients })
        return { y: call.y, mean: call.mean, rstd: call.rstd, ...gradients }
      },
    ),
  ),
  ...[false, true].map((log) =>
    kernelCase(
      log ? 'log softmax' : 'softmax',
      // exp turns the rounding of its argument, here up to 16 wide, into a relative error.
      (size) => 16 + sumOf(matrixOf(size)[1]),
      (size, take, kernels) => {
        const [N, C] = matrixOf(size)
        const [x, y, dx] = [take(N * C, (value) => 3 * value), take(N * C), take(N * C)]
        kernels.softmaxForward({ N, C, log, x, y })
        kernels.softmaxBackward({ N, C, log, y, dy: take(N * C), dx })
        return { y, dx }
      },
    ),
  ),
  ...[
    [false, 0],
    [true, 0],
    [false, 0.1],
    [true, 0.3],
  ].map(([weighted, labelSmoothing]) =>
    kernelCase(
      `softmaxCrossEntropy ${weighted ? 'with' : 'without'} class weights, smoothing ${labelSmoothing}`,
      (size) => 16 + sumOf(matrixOf(size)[1]),
      (size, take, kernels) => {
        const [N, C] = matrixOf(size)
        const targets = Int32Array.from({ length: N }, (_, n) => (n % 5 === 3 ? -100 : (n * n) % C))
        const classWeights = weighted ? take(C, positive) : undefined
        const [logits, dlogits] = [take(N * C, (value) => 3 * value), take(N * C)]
        const call = {
          N,
          C,
          logits,
          targets,
          classWeights,
          ignoreIndex: -100,
          labelSmoothing: Number(labelSmoothing),
        }
        const trained = kernels.softmaxCrossEntropy({ ...call, dlogits })
        const evaluated = kernels.softmaxCrossEntropy(call)
        const sums = [trained.sum, trained.weight, evaluated.sum, evaluated.weight]
        return { dlogits, sums: Float64Array.from(sums) }
      },
    ),
  ),
  ...[false, true].map((learns) =>
    kernelCase(
      `ctcLoss ${learns ? 'with' : 'without'} gradients`,
      // As softmax: the lattice is in double on both sides. A loss sums the roundings of its steps.
      (size) => 16 + sumOf(Math.max(...channelsOf(size))),
      (size, take, kernels) => {
        const [T, labels, classes] = size === 'large' ? [60, 17, 33] : channelsOf(size)
        const [B, C, S] = [size === 'large' ? 64 : 5, classes + 1, Math.min(labels, 40)]
        const logits = take(B * T * C, (value) => 3 * value)
        const call = {
          ...{ B, T, C, S, logits, blank: size === 'large' ? C - 1 : 0 },
          targets: Int32Array.from(
            { length: B * S },
            (_, n) => ((n * n) % (C - 1)) + (size === 'large' ? 0 : 1),
          ),
          inputLengths: Int32Array.from({ length: B }, (_, b) => Math.max(T - b, 0)),
          targetLengths: Int32Array.from({ length: B }, (_, b) => Math.min(b, S, T >> 1)),
        }
        const [losses, dlogits] = [take(B), take(B * T * C)]
        kernels.ctcLoss(learns ? { ...call, losses, dlogits } : { ...call, losses })
        // No path leads to a target that repeats too often: infinity is compared beside, not within, the norm.
        const impossible = losses.map((loss) => Number(loss === Number.POSITIVE_INFINITY))
        return {
          losses: losses.map((loss) => (loss === Number.POSITIVE_INFINITY ? 0 : loss)),
          impossible,
          ...(learns && { dlogits }),
        }
      },
    ),
  ),
  ...[false, true].map((second) =>
    kernelCase(
      second ? 'the optimizers with momentum' : 'the optimizers without momentum',
      // Three steps, each with up to two roundings of what is kept; those of the updates are multiplied by the rate.
      () => 8,
      (size, take, kernels) => {
        const n = lengthOf(size)
        const shared = { learningRate: 0.05, weightDecay: 0.01, gradientScale: 0.5 }
        const [velocity1, velocity2] = second ? [take(n, far), take(n, far)] : []
        const [sgd, rmsprop, adam] = [take(n, far), take(n, far), take(n, far)]
        const [squareAverage, moment1, moment2] = [take(n, positive), take(n, far), take(n, positive)]
        for (let step = 1; step <= 3; step++) {
          const call = { ...shared, gradient: take(n), momentum: second ? 0.9 : 0 }
          kernels.sgdStep({ ...call, weight: sgd, velocity: velocity1, nesterov: second })
          kernels.rmspropStep({
            ...call,
            weight: rmsprop,
            squareAverage,
            velocity: velocity2,
            alpha: 0.99,
            eps: 1e-8,
          })
          const moments = { moment1, moment2, beta1: 0.9, beta2: 0.999, eps: 1e-8 }
          kernels.adamStep({ ...call, weight: adam, ...moments, step, decoupled: second })
        }
        const velocities = velocity1 && velocity2 ? { velocity1, velocity2 } : undefined
        return { sgd, rmsprop, adam, squareAverage, moment1, moment2, ...velocities }
      },
    ),
  ),
]
