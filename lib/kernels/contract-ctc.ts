/** The contract's part on connectionist temporal classification. Its rules hold here too (contract.ts). */
import type { FloatArray } from './contract.ts'

/**
 * -ln P(target | logits) of each sequence (Graves, Fernández, Gomez & Schmidhuber 2006), P being the sum over all paths of
 * one class a step that become the target when repeated classes are merged and blanks then left out:
 *
 *     p[t]   = softmax(logits[b, t])
 *     l'     = blank, target[0], blank, target[1], ..., blank                                 2S + 1 classes
 *     α[t,s] = p[t, l'[s]]·(α[t-1, s] + α[t-1, s-1] + α[t-1, s-2] if l'[s] is neither blank nor l'[s-2])
 *     β      likewise, from the end, with p[t, l'[s]] too
 *     P      = α[T-1, last] + α[T-1, last - 1]
 *     γ[t,k] = Σ α[t,s]·β[t,s] / (p[t,k]·P) over the s with l'[s] = k
 *     ∂(-ln P)/∂logits[b, t, k] = p[t, k] - γ[t, k]
 *
 * α and β are kept as logarithms in double. A sequence of 0 steps has loss 0 if its target is empty. Where no path leads to
 * the target the loss is infinite and its gradient 0; NaN among the logits gives NaN.
 *
 * logits [B, T, C]; targets [B, S], the first targetLengths[b] of a row in [0, C) and not blank, the rest not read;
 * inputLengths [B] in [0, T], targetLengths [B] in [0, S], blank in [0, C); losses [B], written; dlogits [B, T, C], the gradient
 * of each sequence's own loss, is overwritten, with zeros at the steps past a sequence's length; the caller scales it.
 */
export interface CtcLoss {
  B: number
  T: number
  C: number
  S: number
  logits: FloatArray
  targets: Int32Array
  inputLengths: Int32Array
  targetLengths: Int32Array
  blank: number
  losses: FloatArray
  dlogits?: FloatArray
}
