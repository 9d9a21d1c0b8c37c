/** Sequential: layers one after the other. */
import type { PlanStep } from '../kernels/contract.ts'
import type { Tensor } from '../tensor.ts'
import { type ForwardOptions, Layer, type LayerConfig, type Model, type Output } from './layer.ts'

/** What goes from layer to layer beside x. */
type Passed = Pick<ForwardOptions, 'lengths' | 'mask'>

/**
 * Runs its layers in order, each on what the one before returned (its `.output` where it returns a state too). Every
 * layer gets `lengths` and `mask` as the layers before it left them, and its own part of `state`. Parameters are named as in torch.nn.Sequential:
 * `0.weight_ih_l0`, `2.weight`.
 */
export class Sequential extends Layer {
  readonly layers: readonly Model[]

  /** @throws {TypeError} if an element has no `forward` */
  constructor(layers: readonly Model[]) {
    super()
    if (!Array.isArray(layers)) throw new TypeError('Sequential: expected an array of layers')
    const odd = layers.findIndex((layer) => typeof layer?.forward !== 'function')
    if (odd >= 0) throw new TypeError(`Sequential: expected layer ${odd} to have a forward method`)
    this.layers = [...layers]
  }

  /**
   * @returns the last layer's output; with `state` in the options (null, or one returned before) both output and state
   */
  override forward(x: Tensor, options: ForwardOptions & { state: unknown }): Output
  override forward(x: Tensor, options?: ForwardOptions): Tensor
  override forward(x: Tensor, options: ForwardOptions = {}): Tensor | Output {
    const { output, state } = this.#run(x, options)
    return options.state !== undefined ? { output, state } : output
  }

  /** The mask of the output is known once the layers have run: a Sequential inside another one hands it on. */
  #run(x: Tensor, { lengths, mask, state }: ForwardOptions): Output & Passed {
    const isStateful = state !== undefined
    if (state && !(Array.isArray(state) && state.length === this.layers.length)) {
      throw new TypeError(
        `Sequential: expected a state that a model of ${this.layers.length} layers returned, or null`,
      )
    }
    const before = (state ?? []) as unknown[]
    const after: unknown[] = []
    let output = x
    for (const [i, layer] of this.layers.entries()) {
      // Only what there is: a layer that knows no lengths (LSTMCell) may refuse the name.
      const given: ForwardOptions = {}
      if (lengths) given.lengths = lengths
      if (mask) given.mask = mask
      if (isStateful) given.state = before[i] ?? null
      const input = output
      if (layer instanceof Sequential) {
        const inner = layer.#run(input, given)
        ;({ output, lengths, mask } = inner)
        after.push(inner.state)
        continue
      }
      const result = layer.forward(input, given)
      const isPair = 'output' in result
      output = isPair ? result.output : result
      after.push(isPair ? result.state : null)
      mask = layer.computeMask
        ? layer.computeMask(input, mask, given)
        : keepsSteps(input, output)
          ? mask
          : undefined
      if (lengths && layer.computeLengths) lengths = layer.computeLengths(lengths)
    }
    return { output, state: after, lengths, mask }
  }

  override computeLengths(lengths: Int32Array): Int32Array {
    return this.layers.reduce((own, layer) => layer.computeLengths?.(own) ?? own, lengths)
  }

  override *children(): Iterable<[path: string, child: object]> {
    for (const [i, layer] of this.layers.entries()) yield [String(i), layer]
  }

  override freeze(): readonly PlanStep[] {
    return this.layers.flatMap((layer, i) => {
      if (layer instanceof Layer) return layer.freeze()
      throw new TypeError(
        `compile: layer ${i} (${layer.constructor.name}) is no Layer; call its forward inside noGrad`,
      )
    })
  }

  /** @throws {TypeError} if a layer is none of the package's and has no `config` */
  override config(): LayerConfig {
    const layers = this.layers.map((layer, i) => {
      if (layer instanceof Layer) return layer.config()
      throw new TypeError(
        `Sequential: layer ${i} (${layer.constructor.name}) is no Layer and has no config to store`,
      )
    })
    return { type: 'Sequential', layers }
  }
}

function keepsSteps({ shape: before }: Tensor, { shape: after }: Tensor): boolean {
  return after.length > 2 && after[0] === before[0] && after[1] === before[1]
}
