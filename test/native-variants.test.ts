/** The functions of an LSTM's variants on every target, float by float, and what stands past the last unit. */
import { describe, expect, it } from 'vitest'
import type { LstmForward } from '../lib/kernels/contract.ts'
import { backend, kernelsFor, useBackend } from '../lib/kernels/index.ts'
import { activations } from '../lib/kernels/reference/activations.ts'
import { LSTM } from '../lib/layers/lstm.ts'
import { lstmVariant } from '../lib/operations/lstm-variant.ts'
import { noGrad } from '../lib/tape.ts'
import { Tensor } from '../lib/tensor.ts'
import { activationOptions } from './support/lstm-variants.ts'

useBackend('native')
const { available } = backend()

/** Every 99991st float (a prime: all exponents and low bits have their turn) of at most 80, denormals left out. */
function sampledFloats(): Float32Array {
  const bits = Uint32Array.from({ length: 2 ** 32 / 99991 }, (_, i) => i * 99991)
  return new Float32Array(bits.buffer).filter((x) => Math.abs(x) <= 80 && Math.abs(x) >= 2 ** -126)
}

/** Cells of one unit each, whose gates are 1 and whose candidate is f(x): c = f(x), and dc/dx its slope. */
function valuesAndSlopes(each: (typeof activationOptions)[number], x: Float32Array) {
  const B = x.length
  const gateActivation = { kind: 'affine' as const, alpha: 0, beta: 1 }
  const kernels = kernelsFor(x)
  const shape = { B, T: 1, I: 1, H: 1, P: 0, layerNorm: false }
  const call: LstmForward = {
    ...shape,
    reverse: false,
    variant: lstmVariant({ gateActivation, cellActivation: each }),
    parameters: { weightIh: Float32Array.of(0, 0, 1, 0), weightHh: new Float32Array(4) },
    x,
    xBatchStride: 1,
    xTimeStride: 1,
    eps: 1e-5,
    y: new Float32Array(B),
    yBatchStride: 1,
    yTimeStride: 1,
    hn: new Float32Array(B),
    cn: new Float32Array(B),
    cache: new Float32Array(kernels.lstmCacheLength(shape)),
  }
  kernels.lstmForward([call])
  const dx = new Float32Array(B)
  const dcn = new Float32Array(B).fill(1)
  kernels.lstmBackward([{ ...call, cache: call.cache!, dcn, dx, dparameters: {} }])
  return { values: call.cn, slopes: dx }
}

describe.each(available)('on %s', (target) => {
  it.each(activationOptions)('the function $kind and its slope are right for any float', (each) => {
    useBackend(target)
    const { kind, alpha = 0, beta = 0 } = each
    const x = sampledFloats()
    expect(x.length).toBeGreaterThan(20_000)
    const { values, slopes } = valuesAndSlopes(each, x)
    const { value, derivative } = activations[kind]
    const [a, b] = [Math.fround(alpha), Math.fround(beta)]
    // A sum may be much smaller than what is rounded on its way.
    const addend = kind === 'affine' || kind === 'hardSigmoid' ? beta : 0
    const worst = { value: 0, slope: 0, valueAt: 0, slopeAt: 0 }
    for (const [i, at] of x.entries()) {
      const y = value(at, a, b)
      // What is below the smallest normal float is taken for zero, and then multiplied by 1.2 at most.
      const error = Math.max(0, Math.abs(values[i] - y) - 2 ** -125) / (Math.abs(y) + addend || 1)
      if (!(error <= worst.value)) Object.assign(worst, { value: error, valueAt: at })
      const slope = derivative(at, y, a, b)
      const slopeError = Math.abs(slopes[i] - slope) / Math.max(1, Math.abs(slope))
      if (!(slopeError <= worst.slope)) Object.assign(worst, { slope: slopeError, slopeAt: at })
    }
    // exp, sigmoid and tanh are off by up to 2.7 ulp, of half to one epsilon each, and two or three operations follow.
    expect(worst.value, `f(${worst.valueAt})`).toBeLessThan(4 * 2 ** -23)
    expect(worst.slope, `f'(${worst.slopeAt})`).toBeLessThan(4 * 2 ** -23)
  })

  it('what grows past the last unit of a block does not come through', () => {
    useBackend(target)
    // Where no bias holds it back, this gate is 2: a cell would double from step to step.
    const layer = new LSTM({
      inputSize: 1,
      hiddenSize: 3,
      gateActivation: { kind: 'affine', alpha: 1, beta: 2 },
      cellActivation: 'exponential',
      seed: 1,
    })
    layer.weights[0][0].biasIh!.data.fill(-1.7)
    const x = new Tensor([2, 300, 1], new Float32Array(600), true)
    const { output } = layer.forward(x)
    output.backward(new Float32Array(output.size).fill(1e-3))
    expect(output.array.every(Number.isFinite)).toBe(true)
    expect(x.grad!.every(Number.isFinite)).toBe(true)
    for (const [, parameter] of layer.parameters()) expect(parameter.grad!.every(Number.isFinite)).toBe(true)
    expect([...noGrad(() => layer.forward(x)).output.array]).toEqual([...output.array])
  })
})
