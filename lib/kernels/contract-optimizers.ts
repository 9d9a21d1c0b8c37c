/** The part of the contract about optimizers: one step of one array of weights. */
import type { FloatArray } from './contract.ts'

/** torch.optim.SGD: g = dw + decay·w; v = momentum·v + g; w -= rate·(nesterov ? g + momentum·v : v). */
export interface SgdStep {
  weight: FloatArray
  gradient: FloatArray
  /** [n], zeros before the first step; absent means no momentum. */
  velocity?: FloatArray
  learningRate: number
  momentum: number
  nesterov: boolean
  weightDecay: number
  /** The gradient is multiplied by this first: clipping and accumulation cost no pass of their own. */
  gradientScale: number
}

/** torch.optim.RMSprop: s = alpha·s + (1 - alpha)·g²; w -= rate·g / (sqrt(s) + eps), through momentum if given. */
export interface RmspropStep {
  weight: FloatArray
  gradient: FloatArray
  squareAverage: FloatArray
  velocity?: FloatArray
  learningRate: number
  alpha: number
  eps: number
  momentum: number
  weightDecay: number
  gradientScale: number
}

/**
 * torch.optim.Adam and AdamW: m = β1·m + (1 - β1)·g; v = β2·v + (1 - β2)·g²;
 * w -= rate/(1 - β1ᵗ) · m / (sqrt(v / (1 - β2ᵗ)) + eps). Decoupled decay (AdamW) multiplies w by 1 - rate·decay first;
 * otherwise decay·w is added to g.
 */
export interface AdamStep {
  weight: FloatArray
  gradient: FloatArray
  moment1: FloatArray
  moment2: FloatArray
  step: number
  learningRate: number
  beta1: number
  beta2: number
  eps: number
  weightDecay: number
  decoupled: boolean
  gradientScale: number
}
