/** Finite-difference checks of gradients, in float64. Used by the gradient tests; holds no test of its own. */
import { expect } from 'vitest'
import { Random, withRandom } from '../../lib/random.ts'
import { recordOne } from '../../lib/tape.ts'
import { Tensor } from '../../lib/tensor.ts'

export type Inputs = Record<string, Tensor>

/**
 * Five-point central differences with step h are off by h⁴/30·f⁽⁵⁾ and by the rounding of sums of size 1, about 2⁻⁵³/h.
 * With h = 1e-4 that is 3e-18·f⁽⁵⁾ + 1e-12: 1e-9 leaves room for the steep fifth derivatives of layer normalisation over
 * few units, and is far below any wrong term.
 */
const step = 1e-4
const tolerance = 1e-9

/** A float64 tensor of uniform numbers that needs a gradient. */
export function randomTensor(
  shape: readonly number[],
  { seed = 1, low = -1, high = 1 }: { seed?: number; low?: number; high?: number } = {},
): Tensor {
  const random = new Random(seed)
  const size = shape.reduce((product, n) => product * n, 1)
  const array = Float64Array.from({ length: size }, () => random.uniform(low, high))
  return new Tensor(shape, array, true)
}

/**
 * Checks the gradient of Σ weights∘outputs, with fixed random weights, with respect to every element of every input:
 * with all inputs differentiated at once, and with each one alone. The gradients start at 0.5, so a backward that
 * overwrites instead of adding fails too. `compute` runs with the same random stream each time.
 */
export function expectGradients(
  inputs: Inputs,
  compute: (inputs: Inputs) => Tensor | readonly Tensor[],
): void {
  const run = (given: Inputs) => withRandom(new Random(11), () => probe([compute(given)].flat()))
  for (const [name, input] of Object.entries(inputs)) {
    const expected = numericalGradient(input, () => run(inputs).item())
    expectClose(
      `${name} among all`,
      gradientOf(input, () => run(inputs)),
      expected,
    )
    const others = Object.entries(inputs).map(([key, each]) => [key, key === name ? each : each.detach()])
    expectClose(
      `${name} alone`,
      gradientOf(input, () => run(Object.fromEntries(others))),
      expected,
    )
  }
}

function gradientOf(input: Tensor, run: () => Tensor): Float64Array {
  input.grad = new Float64Array(input.size).fill(0.5)
  run().backward()
  const gradient = input.grad.map((each) => each - 0.5)
  input.grad = undefined
  return gradient as Float64Array
}

function numericalGradient(input: Tensor, loss: () => number): Float64Array {
  const array = input.array as Float64Array
  return Float64Array.from(array, (value, i) => {
    const at = (offset: number) => {
      array[i] = value + offset * step
      return loss()
    }
    const slope = (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step)
    array[i] = value
    return slope
  })
}

/** Σ weights∘outputs as an operation of its own, so that the check leans on none of those it checks. */
function probe(outputs: readonly Tensor[]): Tensor {
  const random = new Random(5)
  const weights = outputs.map(({ size }) => Float64Array.from({ length: size }, () => random.uniform(-1, 1)))
  let total = 0
  for (const [k, output] of outputs.entries()) {
    for (let i = 0; i < output.size; i++) total += output.array[i] * weights[k][i]
  }
  return recordOne('probe', outputs, [], Float64Array.of(total), ([dy], accumulator) => {
    for (const [k, output] of outputs.entries()) {
      const gradient = accumulator(output)
      if (gradient) for (let i = 0; i < gradient.length; i++) gradient[i] += dy * weights[k][i]
    }
  })
}

function expectClose(name: string, actual: Float64Array, expected: Float64Array): void {
  const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 1)
  const error = expected.reduce((most, each, i) => Math.max(most, Math.abs(each - actual[i])), 0)
  expect(error / largest, `gradient of ${name}: expected ${expected}, got ${actual}`).toBeLessThan(tolerance)
}
