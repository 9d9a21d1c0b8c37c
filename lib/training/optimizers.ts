/**
 * Optimizers with the arithmetic of torch.optim. `adam({ learningRate })` describes one; `bind` ties it to
 * parameters and makes its state. `fit` binds what it is given; a loop written by hand calls `bind`, `step`
 * and `zeroGrad` itself.
 */
import { describe, FileFormatError, refuseUnknownOptions, requireNumber } from '../errors.ts'
import type { FloatArray } from '../kernels/contract.ts'
import { kernelsFor } from '../kernels/index.ts'
import type { Parameter } from '../tensor.ts'
import { type Entry, layOut, runsOf } from './arena.ts'

/** The description of an optimizer; reusable, without state. */
export interface OptimizerFactory {
  readonly type: string
  readonly learningRate: number
  /**
   * Ties the optimizer to parameters, as `parametersOf(model)` finds them. They move into one memory, so that one call
   * updates them all: their `data` are then views. A parameter whose `data` has been read, or whose array was given to it,
   * stays where it is; the numbers are the same.
   *
   * @throws {TypeError} if there are none
   */
  bind(parameters: ReadonlyMap<string, Parameter>): Optimizer
}

/** What a checkpoint keeps: how many updates each parameter had, and the moments by slot and parameter. */
export interface OptimizerState {
  type: string
  learningRate: number
  steps: Record<string, number>
  /** Under `slot.parameter`, e.g. `moment1.0.weight_ih_l0`. */
  tensors: Map<string, { shape: readonly number[]; data: FloatArray }>
}

/** One update of one parameter, or of several that follow each other in memory. */
interface Update {
  weight: FloatArray
  gradient: FloatArray
  learningRate: number
  gradientScale: number
  /** 1 at the first update. */
  step: number
}

/** What is smaller, the native kernels take for 0: the least normal float32. */
const leastEps = 2 ** -126

interface Rule {
  type: string
  learningRate: number
  /** Arrays of the parameter's size, zeros before the first update. */
  slots: readonly string[]
  /** Whether an element stays 0 where gradient and slots are 0, as padding does: not if that divides 0 by eps = 0. */
  keepsZeros: boolean
  /**
   * One kernel call. Its object is written out: spreading an `Update` into so large a literal costs some 1.6 KB a call
   * that only a full collection takes back (Node 20), and the resident set grows by tens of megabytes.
   */
  update(update: Update, slots: readonly FloatArray[]): void
}

export class Optimizer {
  readonly type: string
  /** May be changed between steps; schedules do. */
  learningRate: number
  readonly #rule: Rule
  readonly #entries: readonly Entry[]

  /** @internal Use `adam(...).bind(parameters)` and the like. */
  constructor(rule: Rule, parameters: ReadonlyMap<string, Parameter>) {
    if (!(parameters instanceof Map)) {
      throw new TypeError(
        `${rule.type}.bind: expected the map of parametersOf(model), got ${describe(parameters)}`,
      )
    }
    this.type = rule.type
    this.learningRate = rule.learningRate
    this.#rule = rule
    if (parameters.size === 0) {
      throw new TypeError(
        `${rule.type}.bind: the model has no parameters; layers are found in its fields and in arrays in them`,
      )
    }
    this.#entries = layOut(parameters, { slots: rule.slots.length, joins: rule.keepsZeros })
  }

  /**
   * Updates every parameter that has a gradient.
   *
   * @param options.gradientScale multiplies the gradients first; see `clipByNorm`
   */
  step({ gradientScale = 1 }: { gradientScale?: number } = {}): void {
    const { learningRate } = this
    for (const { entries, weight, gradient, slots } of runsOf(this.#entries)) {
      for (const entry of entries) entry.step++
      const { step } = entries[0]
      this.#rule.update({ weight, gradient, learningRate, gradientScale, step }, slots)
      for (const { parameter } of entries) parameter.touch()
    }
  }

  /**
   * Clears the gradients. They become zeros, not absent: momentum and decay go on for a parameter out of use.
   */
  zeroGrad(): void {
    for (const { gradient } of runsOf(this.#entries)) gradient.fill(0)
  }

  /**
   * Everything that the next steps depend on, beside parameters and gradients. Shares the memory of the
   * moments.
   */
  get state(): OptimizerState {
    const steps: Record<string, number> = {}
    const tensors: OptimizerState['tensors'] = new Map()
    for (const { name, parameter, slots, step } of this.#entries) {
      steps[name] = step
      for (const [i, data] of slots.entries()) {
        tensors.set(`${this.#rule.slots[i]}.${name}`, { shape: parameter.shape, data })
      }
    }
    return { type: this.type, learningRate: this.learningRate, steps, tensors }
  }

  /**
   * @throws {FileFormatError} if it is the state of another optimizer or of other parameters; nothing is
   * changed then
   */
  set state({ type, learningRate, steps, tensors }: OptimizerState) {
    if (type !== this.type) {
      throw new FileFormatError(`optimizer: expected the state of ${this.type}, got that of ${type}`, {
        code: 'OptimizerMismatch',
      })
    }
    const sources = this.#entries.map(({ name, slots }) =>
      slots.map((data, i) => {
        const key = `${this.#rule.slots[i]}.${name}`
        const source = tensors.get(key)
        if (source?.data.length === data.length && name in steps) return source.data
        const found = source ? `has ${source.data.length} elements, expected ${data.length}` : 'is missing'
        throw new FileFormatError(`optimizer: ${key} ${found}`, { code: 'OptimizerMismatch', tensor: key })
      }),
    )
    for (const [n, entry] of this.#entries.entries()) {
      for (const [i, data] of entry.slots.entries()) data.set(sources[n][i])
      entry.step = steps[entry.name]
    }
    this.learningRate = learningRate
  }
}

/**
 * g = dw + weightDecay·w;  v = momentum·v + g;  w -= learningRate·(nesterov ? g + momentum·v : v), as
 * torch.optim.SGD.
 *
 * @throws {RangeError} if nesterov is asked for without momentum
 */
export function sgd(
  options: { learningRate?: number; momentum?: number; nesterov?: boolean; weightDecay?: number } = {},
): OptimizerFactory {
  refuseUnknownOptions('sgd', options, ['learningRate', 'momentum', 'nesterov', 'weightDecay'])
  const { learningRate = 1e-3, momentum = 0, nesterov = false, weightDecay = 0 } = options
  requireAll('sgd', { learningRate, weightDecay }, { momentum })
  if (nesterov && momentum === 0) throw new RangeError('sgd: nesterov needs a momentum above 0, got 0')
  return factory({
    type: 'sgd',
    learningRate,
    slots: momentum > 0 ? ['velocity'] : [],
    keepsZeros: true,
    update: ({ weight, gradient, learningRate, gradientScale }, [velocity]) =>
      kernelsFor(weight).sgdStep({
        weight,
        gradient,
        velocity,
        learningRate,
        momentum,
        nesterov,
        weightDecay,
        gradientScale,
      }),
  })
}

/**
 * s = alpha·s + (1 - alpha)·g²;  w -= learningRate·g / (√s + eps), through a momentum buffer if there is a
 * momentum, as torch.optim.RMSprop.
 */
export function rmsprop(
  options: {
    learningRate?: number
    alpha?: number
    eps?: number
    momentum?: number
    weightDecay?: number
  } = {},
): OptimizerFactory {
  refuseUnknownOptions('rmsprop', options, ['learningRate', 'alpha', 'eps', 'momentum', 'weightDecay'])
  const { learningRate = 1e-2, alpha = 0.99, eps = 1e-8, momentum = 0, weightDecay = 0 } = options
  requireAll('rmsprop', { learningRate, eps, weightDecay }, { alpha, momentum })
  return factory({
    type: 'rmsprop',
    learningRate,
    slots: momentum > 0 ? ['squareAverage', 'velocity'] : ['squareAverage'],
    keepsZeros: eps >= leastEps,
    update: ({ weight, gradient, learningRate, gradientScale }, [squareAverage, velocity]) =>
      kernelsFor(weight).rmspropStep({
        weight,
        gradient,
        squareAverage,
        velocity,
        learningRate,
        alpha,
        eps,
        momentum,
        weightDecay,
        gradientScale,
      }),
  })
}

export interface AdamOptions {
  /** Default 1e-3. */
  learningRate?: number
  /** Decay of the mean of gradients; default 0.9. */
  beta1?: number
  /** Decay of the mean of squared gradients; default 0.999. */
  beta2?: number
  /** Default 1e-8. */
  eps?: number
  /** Default 0, for AdamW 0.01. */
  weightDecay?: number
}

/** Adam (Kingma & Ba 2015), as torch.optim.Adam; weightDecay·w is added to the gradient. */
export function adam(options: AdamOptions = {}): OptimizerFactory {
  return adamRule('adam', options, { decay: 0, decoupled: false })
}

/**
 * AdamW (Loshchilov & Hutter 2019), as torch.optim.AdamW: w is multiplied by 1 - learningRate·weightDecay
 * first.
 */
export function adamW(options: AdamOptions = {}): OptimizerFactory {
  return adamRule('adamW', options, { decay: 0.01, decoupled: true })
}

function adamRule(
  type: string,
  options: AdamOptions,
  { decay, decoupled }: { decay: number; decoupled: boolean },
): OptimizerFactory {
  refuseUnknownOptions(type, options, ['learningRate', 'beta1', 'beta2', 'eps', 'weightDecay'])
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weightDecay = decay } = options
  requireAll(type, { learningRate, eps, weightDecay }, { beta1, beta2 })
  return factory({
    type,
    learningRate,
    slots: ['moment1', 'moment2'],
    keepsZeros: eps >= leastEps,
    update: ({ weight, gradient, learningRate, gradientScale, step }, [moment1, moment2]) =>
      kernelsFor(weight).adamStep({
        weight,
        gradient,
        moment1,
        moment2,
        step,
        learningRate,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
        gradientScale,
      }),
  })
}

function factory(rule: Rule): OptimizerFactory {
  const { type, learningRate } = rule
  return { type, learningRate, bind: (parameters) => new Optimizer(rule, parameters) }
}

function requireAll(
  place: string,
  nonNegative: Record<string, number>,
  fractions: Record<string, number>,
): void {
  for (const [name, value] of Object.entries(nonNegative)) requireNumber(place, name, value, { low: 0 })
  for (const [name, value] of Object.entries(fractions)) {
    requireNumber(place, name, value, { low: 0, high: 1, open: true })
  }
}
