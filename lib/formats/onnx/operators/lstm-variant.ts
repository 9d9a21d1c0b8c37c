/** What the attributes of the LSTM operator change in its cell. */
import type { ActivationName } from '../../../kernels/contract.ts'
import type { LstmVariantOptions } from '../../../operations/lstm-variant.ts'
import type { Call } from './operator.ts'

/** The functions by their names in lower case, with the numbers that each takes and what these are where none is left. */
const functions: Record<string, { kind: ActivationName; alpha?: number; beta?: number }> = {
  affine: { kind: 'affine', alpha: 1, beta: 0 },
  elu: { kind: 'elu', alpha: 1 },
  hardsigmoid: { kind: 'hardSigmoid', alpha: 0.2, beta: 0.5 },
  leakyrelu: { kind: 'leakyRelu', alpha: 0.01 },
  relu: { kind: 'relu' },
  scaledtanh: { kind: 'scaledTanh', alpha: 1, beta: 1 },
  sigmoid: { kind: 'sigmoid' },
  softplus: { kind: 'softplus' },
  softsign: { kind: 'softsign' },
  tanh: { kind: 'tanh' },
  thresholdedrelu: { kind: 'thresholdedRelu', alpha: 1 },
}

/**
 * The cell of each of D directions. `activations` names f, g and h of every direction; those that have numbers take them
 * from `activation_alpha` and `activation_beta`, in this order.
 */
export function variantsOf(call: Call, D: number): LstmVariantOptions[] {
  const names =
    call.texts('activations') ?? Array.from({ length: D }, () => ['Sigmoid', 'Tanh', 'Tanh']).flat()
  if (names.length !== 3 * D) {
    throw new RangeError(`expected ${3 * D} activations, got [${names}]`)
  }
  const alphas = [...(call.numbers('activation_alpha') ?? [])]
  const betas = [...(call.numbers('activation_beta') ?? [])]
  const chosen = names.map((name) => {
    const found = Object.hasOwn(functions, name.toLowerCase()) ? functions[name.toLowerCase()] : undefined
    if (!found) {
      const known = Object.values(functions).map(({ kind }) => kind)
      throw new TypeError(`the activation ${name} is not known; known: ${known.join(', ')}`)
    }
    const { kind, alpha, beta } = found
    if (alpha === undefined) return kind
    const numbers = { kind, alpha: alphas.shift() ?? alpha }
    return beta === undefined ? numbers : { ...numbers, beta: betas.shift() ?? beta }
  })
  if (alphas.length + betas.length > 0) {
    throw new RangeError(`activation_alpha or activation_beta have more numbers than [${names}] take`)
  }
  return Array.from({ length: D }, (_, d) => ({
    gateActivation: chosen[3 * d],
    cellActivation: chosen[3 * d + 1],
    outputActivation: chosen[3 * d + 2],
    clip: call.number('clip', 0),
    coupledInputForget: call.integer('input_forget', 0) !== 0,
  }))
}
