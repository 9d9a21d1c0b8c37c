/** What the recurrent operators have in common. */
import type { Call } from './operator.ts'

/** The attributes of all of them. */
export const recurrentAttributes = {
  activation_alpha: 'floats',
  activation_beta: 'floats',
  activations: 'strings',
  clip: 'float',
  direction: 'string',
  hidden_size: 'int',
  layout: 'int',
  output_sequence: 'int',
} as const

export function directionsOf(call: Call): readonly ('forward' | 'reverse')[] {
  const direction = call.text('direction', 'forward')
  if (direction === 'bidirectional') return ['forward', 'reverse']
  if (direction === 'forward' || direction === 'reverse') return [direction]
  throw new TypeError(`expected direction forward, reverse or bidirectional, got ${direction}`)
}

/** The counts of valid steps, beyond which Y is 0. */
export function lengthsOf(call: Call, { B, T }: { B: number; T: number }): Int32Array | undefined {
  const lengths = call.integersOf(4)
  if (!lengths) return undefined
  if (lengths.length === B && lengths.every((n) => n >= 0 && n <= T)) return Int32Array.from(lengths)
  throw new RangeError(`expected ${B} sequence_lens from 0 to ${T}, got [${lengths}]`)
}

/** @throws {RangeError} if an input that is there has another shape, or another type than X */
export function requireInputs(
  call: Call,
  expected: readonly (readonly [name: string, i: number, shape: readonly number[]])[],
): void {
  const { type } = call.floats(0)
  for (const [name, i, shape] of expected) {
    const value = call.inputs[i]
    if (value && (String(value.shape) !== String(shape) || value.type !== type))
      throw new RangeError(`expected ${name} ${type} [${shape}], got ${value.type} [${value.shape}]`)
  }
}

/** H, which R and the attribute tell. */
export function hiddenSizeOf(call: Call): number {
  const H = call.floats(2).shape[2] ?? 0
  const asked = call.integer('hidden_size', H)
  if (H >= 1 && asked === H) return H
  throw new RangeError(`hidden_size is ${asked}, but R has the shape [${call.input(2).shape}]`)
}
