/** Scan (opset 9 and newer): a body run for each step of its inputs, which hands states from step to step. */
import { sizeOf } from '../../../tensor.ts'
import type { BodyGraph, BodyValue } from '../graph.ts'
import { permuted, type Value } from '../values.ts'
import { axisOf, type Body, type Call, type Operator, type Shell } from './operator.ts'

export const scanOperator: Operator = {
  inputs: [1, Number.POSITIVE_INFINITY],
  attributes: {
    body: 'graph',
    num_scan_inputs: 'int',
    scan_input_axes: 'ints',
    scan_input_directions: 'ints',
    scan_output_axes: 'ints',
    scan_output_directions: 'ints',
  },
  // Opset 8 had an axis for the batch.
  since: 9,
  foldable: false,
  check,

  /**
   * N states and M sequences to N final states and K sequences; the body takes N states and M steps to N states and K
   * steps. All sequences are T long along their axes; a direction of 1 reads or writes one from its end.
   */
  run(call) {
    const body = call.body('body')
    const M = call.integer('num_scan_inputs', 0)
    const N = body.graph.inputs.length - M
    const read = Array.from({ length: M }, (_, i) => sequenceOf(call, N, i))
    const T = read[0].value.shape[0]
    const odd = read.find(({ value }) => value.shape[0] !== T)
    if (odd) throw new RangeError(`expected sequences of ${T} steps, got one of ${odd.value.shape[0]}`)
    body.reserve(T)

    const initial = Array.from({ length: N }, (_, i) => call.input(i))
    const written = body.graph.outputs.slice(N).map((_, k) => new Written(call, { k, N, T }))
    let states = initial
    for (let t = 0; t < T; t++) {
      const results = body.run([
        ...states,
        ...read.map(({ value, reverse }) => stepOf(value, reverse ? T - 1 - t : t)),
      ])
      states = results.slice(0, N)
      for (const [i, state] of states.entries()) requireSame(`state ${i}`, state, initial[i])
      for (const [k, sequence] of written.entries()) sequence.set(t, results[N + k])
    }
    return [
      ...states,
      ...written.map((sequence, k) => sequence.whole(() => emptyStep(body, { k, N, initial, read }))),
    ]
  },
}

function check({ inputs, outputs, attributes, bodies }: Shell): void {
  const body: BodyGraph | undefined = bodies.get('body')
  if (!body) throw new TypeError('the attribute "body" is missing')
  const M = attributes.get('num_scan_inputs') as number | undefined
  if (M === undefined || M < 1 || M > inputs)
    throw new RangeError(`expected num_scan_inputs from 1 to the ${inputs} inputs, got ${M}`)
  if (body.inputs.length !== inputs)
    throw new RangeError(`expected a body of ${inputs} inputs, as the node has, got ${body.inputs.length}`)
  const N = inputs - M
  const K = body.outputs.length - N
  if (K < 0)
    throw new RangeError(
      `expected a body of at least ${N} outputs, one for each state, got ${body.outputs.length}`,
    )
  if (outputs > N + K)
    throw new RangeError(`expected at most ${N + K} outputs, as the body has, got ${outputs}`)
  for (const [list, count] of [
    ['scan_input_axes', M],
    ['scan_input_directions', M],
    ['scan_output_axes', K],
    ['scan_output_directions', K],
  ] as const) {
    const numbers = attributes.get(list) as readonly number[] | undefined
    if (!numbers) continue
    if (numbers.length !== count)
      throw new RangeError(`expected ${count} numbers in ${list}, got ${numbers.length}`)
    const odd = list.endsWith('directions') ? numbers.find((n) => n !== 0 && n !== 1) : undefined
    if (odd !== undefined) throw new RangeError(`expected 0 or 1 in ${list}, got ${odd}`)
  }
}

interface Read {
  /** Its steps on the first axis. */
  value: Value
  reverse: boolean
}

function sequenceOf(call: Call, N: number, i: number): Read {
  const value = call.input(N + i)
  const axis = axisOf(call.integers('scan_input_axes')?.[i] ?? 0, value.shape.length)
  const others = value.shape.map((_, each) => each).filter((each) => each !== axis)
  return {
    value: permuted(value, [axis, ...others], call.memory),
    reverse: call.integers('scan_input_directions')?.[i] === 1,
  }
}

/** A view of one step. */
function stepOf({ type, shape, data }: Value, t: number): Value {
  const step = shape.slice(1)
  const size = sizeOf(step)
  return { type, shape: step, data: data.subarray(t * size, (t + 1) * size) }
}

/** A sequence that the steps are written into. */
class Written {
  readonly #call: Call
  readonly #place: { k: number; N: number; T: number }
  #value: Value | undefined

  constructor(call: Call, place: { k: number; N: number; T: number }) {
    this.#call = call
    this.#place = place
  }

  set(t: number, step: Value): void {
    const { k, N, T } = this.#place
    if (!this.#call.wanted[N + k]) return
    this.#value ??= this.#make(step)
    const { type, shape, data } = this.#value
    requireSame(`output ${k}`, step, { type, shape: shape.slice(1) })
    const isReverse = this.#call.integers('scan_output_directions')?.[k] === 1
    data.set(step.data, (isReverse ? T - 1 - t : t) * step.data.length)
  }

  /** @param otherwise a step, where there was none */
  whole(otherwise: () => Pick<Value, 'type' | 'shape'>): Value | undefined {
    const { k, N } = this.#place
    if (!this.#call.wanted[N + k]) return undefined
    const value = (this.#value ??= this.#make(otherwise()))
    const axis = axisOf(this.#call.integers('scan_output_axes')?.[k] ?? 0, value.shape.length)
    const order = value.shape.slice(1).map((_, i) => i + 1)
    return permuted(value, order.toSpliced(axis, 0, 0), this.#call.memory)
  }

  #make({ type, shape }: Pick<Value, 'type' | 'shape'>): Value {
    const whole = [this.#place.T, ...shape]
    return { type, shape: whole, data: this.#call.memory.array(type, whole) }
  }
}

function requireSame(what: string, got: Value, { type, shape }: Pick<Value, 'type' | 'shape'>): void {
  if (got.type === type && String(got.shape) === String(shape)) return
  throw new RangeError(
    `expected ${what} of a step to be ${type} [${shape}] as before, got ${got.type} [${got.shape}]`,
  )
}

/** What the body says that an output is, with the sizes that its inputs have: for no steps at all. */
function emptyStep(
  { graph }: Body,
  { k, N, initial, read }: { k: number; N: number; initial: readonly Value[]; read: readonly Read[] },
): Pick<Value, 'type' | 'shape'> {
  const { dataType, shape }: BodyValue = graph.outputs[N + k]
  if (!dataType || !shape)
    throw new TypeError(`no steps, and its body says neither type nor shape of output ${k}`)
  const sizes = new Map<string, number>()
  const shapes = [...initial.map((state) => state.shape), ...read.map(({ value }) => value.shape.slice(1))]
  for (const [i, given] of shapes.entries())
    for (const [axis, name] of (graph.inputs[i].shape ?? []).entries())
      if (typeof name === 'string') sizes.set(name, given[axis] ?? 0)
  // Nothing is lost with an unknown size: there are no elements.
  return { type: dataType, shape: shape.map((n) => (typeof n === 'number' ? n : (sizes.get(n ?? '') ?? 0))) }
}
