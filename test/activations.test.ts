/** exp, sigmoid and tanh as the native LSTM has them: the largest errors, against those that native/kernels.h states. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { loadNative } from '../lib/kernels/native.ts'

const native = loadNative()
const header = readFileSync(new URL('../native/kernels.h', import.meta.url), 'utf8')

/** The arguments that a bound holds for, and some where the sweep over all floats found the largest errors. */
const functions = {
  exp: { constant: 'kExpUlp', low: -87.3, high: 88.7, hardest: [-27.3789845, -27.3779926], exact: Math.exp },
  sigmoid: {
    constant: 'kSigmoidUlp',
    low: -87,
    high: Infinity,
    hardest: [-16.635704],
    exact: (x: number) => 1 / (1 + Math.exp(-x)),
  },
  tanh: { constant: 'kTanhUlp', low: -Infinity, high: Infinity, hardest: [0.0617980696], exact: Math.tanh },
}
type Name = keyof typeof functions
const names = Object.keys(functions) as Name[]

/**
 * Every 9973rd float, a prime so that all exponents and all low bits have their turn: some 220,000 in exp's range. Denormals are
 * left out: native calls take them for zero.
 */
function sampledFloats(low: number, high: number): number[] {
  const [bits, float] = views()
  const found: number[] = []
  for (let pattern = 0; pattern < 2 ** 32; pattern += 9973) {
    bits[0] = pattern
    if (float[0] >= low && float[0] <= high && Math.abs(float[0]) >= 2 ** -126) found.push(float[0])
  }
  return found
}

function views(): [Uint32Array, Float32Array] {
  const bits = new Uint32Array(1)
  return [bits, new Float32Array(bits.buffer)]
}

/** The distance of the two floats around x. */
const ulp = (x: number) => 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), -126) - 23)

function activate(name: Name, values: readonly number[]): Float32Array {
  const y = new Float32Array(values.length)
  native.activation(name, Float32Array.from(values), y)
  return y
}

describe.each(native.available)('on %s', (target) => {
  it.each(names)('the error of %s stays within the bound that the header states', (name) => {
    native.setTarget(target)
    const { constant, low, high, hardest, exact } = functions[name]
    const bound = Number(header.match(`${constant} = ([0-9.]+)`)?.[1])
    const x = [...sampledFloats(low, high), ...hardest].map(Math.fround)
    expect(x.length).toBeGreaterThan(200_000)
    const y = activate(name, x)
    let worst = { error: 0, x: 0, y: 0 }
    for (let i = 0; i < x.length; i++) {
      const truth = exact(x[i])
      const error = truth === y[i] ? 0 : Math.abs(y[i] - truth) / ulp(truth)
      if (!(error <= worst.error)) worst = { error, x: x[i], y: y[i] }
    }
    expect(worst.error, `at ${worst.x}: ${worst.y}`).toBeLessThanOrEqual(bound)
    // A bound far above what is reached would be no statement.
    expect(worst.error).toBeGreaterThan(0.8 * bound)
  })

  it('the functions end where they should', () => {
    native.setTarget(target)
    const { NaN: nan } = Number
    expect([...activate('exp', [-Infinity, -105, 0, 89, Infinity, nan])]).toEqual([
      0,
      0,
      1,
      Infinity,
      Infinity,
      nan,
    ])
    expect([...activate('sigmoid', [0, 20, Infinity, nan])]).toEqual([0.5, 1, 1, nan])
    expect([...activate('tanh', [-Infinity, -20, -0, 0, 20, Infinity, nan])]).toEqual([
      -1,
      -1,
      -0,
      0,
      1,
      1,
      nan,
    ])
    // Not quite 0: the argument stops where the exponential would leave the normal floats.
    for (const y of activate('sigmoid', [-88, -1000, -Infinity])) expect(y).toBeLessThan(1.8e-38)
  })
})
