/** Attention as operations: queries take from memories what their keys say fits. */
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import { outputBuffer, record } from '../tape.ts'
import type { Tensor } from '../tensor.ts'
import { floats, requireLengths, requireMask, requireShape } from './common.ts'
import { bernoulliMask } from './dropout.ts'

export interface AttentionOptions {
  /** What scores are multiplied by; default 1. 1/√D makes scaled dot products (Vaswani et al. 2017). */
  scale?: number
  /** [heads·D]: scores are vector·tanh(query + key) (Bahdanau et al. 2015) in place of the dot product. */
  vector?: Tensor
  /** How many parts the columns of query, key and value are cut into, each of which attends by itself; default 1. */
  heads?: number
  /** Keys that count, of each memory, from the first on: [M] counts in [0, S]; default S. */
  lengths?: Int32Array
  /** [M·S] bytes, 0 where a key does not count; default: all that `lengths` allows do. */
  keyMask?: Uint8Array
  /** [T·S] or [B·T·S] bytes, 0 where a key does not count for a query, such as `causalMask`; default: all count. */
  mask?: Uint8Array
  /** Whether only keys s ≤ t count for query t, as with `causalMask` but without its T·S bytes; default false. */
  causal?: boolean
  /**
   * That a weight is dropped, in [0, 1), before it takes of the values; the others are multiplied by 1 / (1 - dropout). Always
   * samples, by a seed from `ambientRandom()`; default 0.
   */
  dropout?: number
  /** The memory that each batch row asks, [B], where several ask the same; without gradients. Default: row b asks memory b. */
  rows?: Int32Array
}

const names = ['scale', 'vector', 'heads', 'lengths', 'keyMask', 'mask', 'causal', 'dropout', 'rows']

/**
 *     weights[t, s] = softmax over s of scale·query[t]·key[s], or of scale·vector·tanh(query[t] + key[s])
 *     output[t] = Σ_s drop[t, s]·weights[t, s]·value[s]                 drop = 1 without dropout
 *
 * in each head. With a scale of 1/√D as torch.nn.functional.scaled_dot_product_attention, but for queries for which no key
 * counts: their weights and output are 0. The weights returned are those before dropout.
 *
 * @param query [B, T, heads·D]
 * @param key [M, S, heads·D], M memories: B, unless `rows` says which of them each row asks
 * @param value [M, S, heads·E]
 * @returns output [B, T, heads·E] and weights [B, heads, T, S], both differentiable
 * @throws {TypeError | RangeError} if a shape or an option does not fit
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): { output: Tensor; weights: Tensor } {
  refuseUnknownOptions('attention', options, names)
  const { scale = 1, vector, heads: N = 1, causal, dropout = 0, rows } = options
  requireInteger('attention', 'heads', N)
  requireNumber('attention', 'dropout', dropout, { low: 0, high: 1, open: true })
  const { B, T, S, D, E, M } = shapeOf(query, key, value, { N, rows })
  if (vector) requireShape('attention', 'vector', vector, [N * D])
  const keyMask = keyMaskOf(options, { M, S })
  const mask = queryMaskOf(options.mask, { B, T, S })
  const [q, k, v] = floats('attention', query, key, value)
  const a = vector && floats('attention', query, vector)[1]
  const drop = dropout > 0 ? factorsOf(q, [B, N, T, S], dropout) : undefined
  const kernels = kernelsFor(q)
  const y = outputBuffer(q, B * T * N * E)
  const weights = outputBuffer(q, B * N * T * S)
  // Written out, as hot calls are.
  kernels.attentionForward({
    B,
    T,
    S,
    N,
    D,
    E,
    scale,
    q,
    k,
    v,
    vector: a,
    drop,
    keyMask,
    mask,
    causal,
    rows,
    y,
    weights,
  })
  const inputs = rows ? [] : [query, key, value, vector]
  const outputs = [
    { shape: [B, T, N * E], array: y },
    { shape: [B, N, T, S], array: weights },
  ]
  const [output, made] = record('attention', inputs, outputs, ([dy, dweights], gradientOf) => {
    kernels.attentionBackward({
      B,
      T,
      S,
      N,
      D,
      E,
      scale,
      q,
      k,
      v,
      vector: a,
      drop,
      weights,
      dy,
      dweights,
      dq: gradientOf(query),
      dk: gradientOf(key),
      dv: gradientOf(value),
      dvector: vector && gradientOf(vector),
    })
  })
  return { output, weights: made }
}

function factorsOf(like: FloatArray, shape: readonly number[], dropout: number): FloatArray {
  const kept = 1 - dropout
  return bernoulliMask(like, shape, { probability: kept, value: 1 / kept }).array as FloatArray
}

/** [T·T] bytes for `mask`: step t attends to the steps up to itself. */
export function causalMask(T: number): Uint8Array {
  requireInteger('causalMask', 'T', T)
  return Uint8Array.from({ length: T * T }, (_, i) => Number(i % T <= Math.floor(i / T)))
}

function shapeOf(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { N, rows }: { N: number; rows: Int32Array | undefined },
) {
  for (const [name, each] of Object.entries({ query, key, value })) {
    const last = each.shape[2]
    if (each.shape.length === 3 && last % N === 0) continue
    throw new RangeError(
      `attention: expected ${name} of three axes, the last in ${N} equal parts, got shape [${each.shape}]`,
    )
  }
  const [B, T, width] = query.shape
  const [M, S] = key.shape
  requireShape('attention', 'key', key, [rows ? M : B, S, width])
  requireShape('attention', 'value', value, [M, S, value.shape[2]])
  if (rows) {
    if (!(rows instanceof Int32Array) || rows.length !== B) {
      throw new RangeError(`attention: expected rows to be an Int32Array of ${B}, one for each row of query`)
    }
    const odd = rows.find((row) => row < 0 || row >= M)
    if (odd !== undefined) throw new RangeError(`attention: expected rows in [0, ${M}), got ${odd}`)
  }
  return { B, T, S, M, D: width / N, E: value.shape[2] / N }
}

/** @internal Which keys count, of M memories of S: [M·S] bytes; undefined where all do. */
export function keyMaskOf(
  { lengths, keyMask }: Pick<AttentionOptions, 'lengths' | 'keyMask'>,
  { M, S }: { M: number; S: number },
): Uint8Array | undefined {
  if (keyMask) requireMask('attention: keyMask', keyMask, { B: M, T: S })
  if (!lengths) return keyMask
  requireLengths('attention', lengths, { B: M, T: S })
  const whole = keyMask ? keyMask.slice() : new Uint8Array(M * S).fill(1)
  for (let m = 0; m < M; m++) whole.fill(0, m * S + lengths[m], (m + 1) * S)
  return whole
}

function queryMaskOf(
  mask: Uint8Array | undefined,
  { B, T, S }: { B: number; T: number; S: number },
): Uint8Array | undefined {
  if (!mask || (mask instanceof Uint8Array && mask.length === B * T * S)) return mask
  if (!(mask instanceof Uint8Array) || mask.length !== T * S) {
    throw new RangeError(
      `attention: expected mask to be a Uint8Array of T·S = ${T * S} or B·T·S = ${B * T * S} bytes`,
    )
  }
  const whole = new Uint8Array(B * T * S)
  for (let b = 0; b < B; b++) whole.set(mask, b * T * S)
  return whole
}
