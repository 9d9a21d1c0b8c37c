/** One update of one parameter, as torch.optim computes it; see the contract for the equations. */
import type { AdamStep, RmspropStep, SgdStep } from '../contract.ts'

export function sgdStep(step: SgdStep): void {
  const { weight, gradient, velocity, learningRate, momentum, nesterov, weightDecay, gradientScale } = step
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i] * gradientScale + weightDecay * weight[i]
    if (velocity) {
      const v = momentum * velocity[i] + g
      velocity[i] = v
      weight[i] -= learningRate * (nesterov ? g + momentum * v : v)
    } else weight[i] -= learningRate * g
  }
}

export function rmspropStep(step: RmspropStep): void {
  const { weight, gradient, squareAverage, velocity, learningRate, alpha, eps } = step
  const { momentum, weightDecay, gradientScale } = step
  for (let i = 0; i < weight.length; i++) {
    const g = gradient[i] * gradientScale + weightDecay * weight[i]
    const s = alpha * squareAverage[i] + (1 - alpha) * g * g
    squareAverage[i] = s
    const change = g / (Math.sqrt(s) + eps)
    if (velocity) {
      const v = momentum * velocity[i] + change
      velocity[i] = v
      weight[i] -= learningRate * v
    } else weight[i] -= learningRate * change
  }
}

export function adamStep(call: AdamStep): void {
  const { weight, gradient, moment1, moment2, step, learningRate, beta1, beta2, eps } = call
  const { weightDecay, decoupled, gradientScale } = call
  const rate = learningRate / (1 - beta1 ** step)
  const correction2 = 1 - beta2 ** step
  for (let i = 0; i < weight.length; i++) {
    const w = decoupled ? weight[i] * (1 - learningRate * weightDecay) : weight[i]
    const g = gradient[i] * gradientScale + (decoupled ? 0 : weightDecay * w)
    const m = beta1 * moment1[i] + (1 - beta1) * g
    const v = beta2 * moment2[i] + (1 - beta2) * g * g
    moment1[i] = m
    moment2[i] = v
    weight[i] = w - (rate * m) / (Math.sqrt(v / correction2) + eps)
  }
}
