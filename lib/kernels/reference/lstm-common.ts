/** What forward and backward of the reference LSTM share: the layout of the cache, and the order of the steps. */
import type { FloatArray, LstmActivation, LstmShape, LstmVariant } from '../contract.ts'
import { activations } from './activations.ts'

/** What one step of one sequence leaves for the backward pass, and how many numbers each is. R = P or H. */
function rowLengths({ H, P, layerNorm }: LstmShape) {
  const whenNormalised = layerNorm ? 1 : 0
  return {
    /** h[t-1]∘recurrentMask, what W_hh multiplied */
    m: P || H,
    /** c[t-1] */
    cPrevious: H,
    /** what the activations of i, f, g, o are applied to, peepholes included */
    sums: 4 * H,
    /** i, f, g, o after their activations */
    gates: 4 * H,
    /** ĉ, before zoneout */
    cell: H,
    /** LN(ĉ), and tanh of it */
    squashable: H,
    squashed: H,
    /** x·W_ihᵀ, h·W_hhᵀ and ĉ, normalised, before gain and shift */
    normalisedIh: 4 * H * whenNormalised,
    normalisedHh: 4 * H * whenNormalised,
    normalisedCell: H * whenNormalised,
    /** the three's 1/sqrt(var + eps) */
    rstd: 3 * whenNormalised,
  }
}

/** The cache as arrays of B·T rows. Row b·T + s is the s-th step that sequence b reads, whatever the direction. */
export type Cache = Record<keyof ReturnType<typeof rowLengths>, FloatArray>

export function lstmCacheLength(shape: LstmShape): number {
  const rowLength = Object.values(rowLengths(shape)).reduce((sum, length) => sum + length, 0)
  return shape.B * shape.T * rowLength
}

export function sectionsOf(cache: FloatArray, shape: LstmShape): Cache {
  let end = 0
  const sections = Object.entries(rowLengths(shape)).map(([name, length]) => {
    const start = end
    end += shape.B * shape.T * length
    return [name, cache.subarray(start, end)]
  })
  return Object.fromEntries(sections)
}

/** A function of one number, and its derivative in terms of x and y = f(x). */
interface Differentiable {
  value(x: number): number
  derivative(x: number, y: number): number
}

const standard: LstmVariant = {
  gate: { kind: 'sigmoid', alpha: 0, beta: 0 },
  cell: { kind: 'tanh', alpha: 0, beta: 0 },
  output: { kind: 'tanh', alpha: 0, beta: 0 },
  clip: 0,
  coupledInputForget: false,
}

/** The functions of a cell: those of the gates and the candidate with the bounds of their arguments. */
export function cellFunctions({ gate, cell, output, clip, coupledInputForget } = standard) {
  return {
    gate: bounded(gate, clip),
    candidate: bounded(cell, clip),
    output: bounded(output, 0),
    coupledInputForget,
  }
}

function bounded({ kind, alpha, beta }: LstmActivation, clip: number): Differentiable {
  const { value, derivative } = activations[kind]
  const limit = clip || Number.POSITIVE_INFINITY
  return {
    value: (x) => value(Math.max(-limit, Math.min(limit, x)), alpha, beta),
    derivative: (x, y) => (Math.abs(x) > limit ? 0 : derivative(x, y, alpha, beta)),
  }
}

/** The time of the s-th step read of a sequence of `length` valid steps. */
export function timeOf(step: number, length: number, reverse: boolean): number {
  return reverse ? length - 1 - step : step
}

/** The zoneout of element `index`: 1 keeps the previous state, 0 takes the new one. */
export function zoneoutAt(zoneout: FloatArray | number, index: number): number {
  return typeof zoneout === 'number' ? zoneout : zoneout[index]
}

export function zerosLike(like: FloatArray, length: number): FloatArray {
  return like instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
}
