/** Attention, and products of many small matrices. */
import type { AttentionBackward, AttentionForward, BatchedGemmCall } from '../contract-attention.ts'
import { gemm } from './gemm.ts'
import { addScaled, dot } from './loops.ts'

/** `batch` products of one shape. */
export function batchedGemm(call: BatchedGemmCall): void {
  const { batch, M, N, K, A, B, C } = call
  for (let i = 0; i < batch; i++) {
    gemm({
      ...call,
      A: A.subarray(i * M * K, (i + 1) * M * K),
      B: B.subarray(i * K * N, (i + 1) * K * N),
      C: C.subarray(i * M * N, (i + 1) * M * N),
    })
  }
}

export function attentionForward(call: AttentionForward): void {
  const { B, T, S, N, D, E, scale, q, k, v, vector, drop, keyMask, mask, causal, rows, y, weights } = call
  const scores = new Float64Array(S)
  const sum = new Float64Array(E)
  for (let b = 0; b < B; b++) {
    const memory = rows ? rows[b] : b
    const counts = (t: number, s: number) =>
      keyMask?.[memory * S + s] !== 0 && mask?.[(b * T + t) * S + s] !== 0 && !(causal && s > t)
    for (let n = 0; n < N; n++) {
      for (let t = 0; t < T; t++) {
        const qAt = ((b * T + t) * N + n) * D
        let largest = Number.NEGATIVE_INFINITY
        for (let s = 0; s < S; s++) {
          if (!counts(t, s)) continue
          const kAt = ((memory * S + s) * N + n) * D
          if (!vector) scores[s] = scale * dot(q, qAt, k, kAt, D)
          else {
            let score = 0
            for (let d = 0; d < D; d++) score += vector[n * D + d] * Math.tanh(q[qAt + d] + k[kAt + d])
            scores[s] = scale * score
          }
          largest = Math.max(largest, scores[s])
        }
        let total = 0
        for (let s = 0; s < S; s++) if (counts(t, s)) total += Math.exp(scores[s] - largest)
        sum.fill(0)
        const wAt = ((b * N + n) * T + t) * S
        for (let s = 0; s < S; s++) {
          const weight = counts(t, s) ? Math.exp(scores[s] - largest) / total : 0
          weights[wAt + s] = weight
          const taken = drop ? weight * drop[wAt + s] : weight
          if (taken !== 0) addScaled(taken, v, ((memory * S + s) * N + n) * E, sum, 0, E)
        }
        y.set(sum, ((b * T + t) * N + n) * E)
      }
    }
  }
}

/** de = w∘(dw - Σ dw∘w) with dw[s] = drop[s]·dy·v[s] + dweights[s]; a key of weight 0 gets and gives nothing. */
export function attentionBackward(call: AttentionBackward): void {
  const { B, T, S, N, D, E, scale, q, k, v, vector, drop, weights } = call
  const { dy, dweights, dq, dk, dv, dvector } = call
  const dw = new Float64Array(S)
  for (let b = 0; b < B; b++) {
    for (let n = 0; n < N; n++) {
      for (let t = 0; t < T; t++) {
        const qAt = ((b * T + t) * N + n) * D
        const yAt = ((b * T + t) * N + n) * E
        const wAt = ((b * N + n) * T + t) * S
        let mean = 0
        for (let s = 0; s < S; s++) {
          const weight = weights[wAt + s]
          if (weight === 0) continue
          const vAt = ((b * S + s) * N + n) * E
          const factor = drop ? drop[wAt + s] : 1
          dw[s] = (dweights ? dweights[wAt + s] : 0) + (dy ? factor * dot(dy, yAt, v, vAt, E) : 0)
          mean += weight * dw[s]
          if (dv && dy) addScaled(weight * factor, dy, yAt, dv, vAt, E)
        }
        for (let s = 0; s < S; s++) {
          if (weights[wAt + s] === 0) continue
          const de = scale * weights[wAt + s] * (dw[s] - mean)
          const kAt = ((b * S + s) * N + n) * D
          if (!vector) {
            if (dq) addScaled(de, k, kAt, dq, qAt, D)
            if (dk) addScaled(de, q, qAt, dk, kAt, D)
            continue
          }
          for (let d = 0; d < D; d++) {
            const value = Math.tanh(q[qAt + d] + k[kAt + d])
            const slope = de * vector[n * D + d] * (1 - value * value)
            if (dvector) dvector[n * D + d] += de * value
            if (dq) dq[qAt + d] += slope
            if (dk) dk[kAt + d] += slope
          }
        }
      }
    }
  }
}
