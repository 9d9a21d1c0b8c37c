/** The native LSTM kernels against their twin, the float64 reference, on every target of this CPU. */
import { describe, expect, it } from 'vitest'
import { backend, kernelsFor, setThreads, useBackend } from '../lib/kernels/index.ts'
import { referenceKernels } from '../lib/kernels/reference/index.ts'
import { expectSameBits } from './support/close.ts'
import { awkwardShapes, makeCase, optionSets, runCase, worstError } from './support/lstm-cases.ts'
import { activationOptions } from './support/lstm-variants.ts'

useBackend('native')
const { available } = backend()
const float32 = () => kernelsFor(new Float32Array(0))
const epsilon = 2 ** -23

/** 4·ceil(log2(K·T))·eps in the norm, K the longest sum of the pass: the bound benchdnn sets its LSTM (times 2 backward). */
const bound = (K: number, T: number) => 4 * Math.max(1, Math.ceil(Math.log2(K * T))) * epsilon

describe.each(available)('the native LSTM on %s', (target) => {
  it.each(awkwardShapes)('equals the reference at B=$B T=$T I=$I H=$H', (shape) => {
    useBackend(target)
    const test = makeCase({ ...shape, seed: 1 })
    const truth = runCase(referenceKernels, test, Float64Array)
    const result = runCase(float32(), test, Float32Array)
    const { B, T, I, H } = shape
    expect(worstError(result.outputs, truth.outputs).error).toBeLessThan(bound(I + H, T))
    expect(worstError(result.gradients, truth.gradients).error).toBeLessThan(2 * bound(Math.max(4 * H, B), T))
  })

  it.each(optionSets)('equals the reference with $name', (options) => {
    useBackend(target)
    for (const shape of [
      { B: 5, T: 6, I: 3, H: 17 },
      { B: 13, T: 4, I: 33, H: 31 },
      { B: 1, T: 3, I: 2, H: 9 },
    ]) {
      const test = makeCase({ ...shape, seed: 2, ...options })
      const truth = runCase(referenceKernels, test, Float64Array)
      const result = runCase(float32(), test, Float32Array)
      // Layer normalisation divides by a deviation that may be small, and multiplies the error by its inverse.
      const condition = options.layerNorm ? 8 : 1
      expect(worstError(result.outputs, truth.outputs).error).toBeLessThan(
        condition * bound(shape.I + shape.H, shape.T),
      )
      expect(worstError(result.gradients, truth.gradients).error).toBeLessThan(
        condition * 2 * bound(4 * shape.H * shape.B, shape.T),
      )
    }
  })

  it.each([...optionSets, ...awkwardShapes])('gives the same bits from packed weights: %o', (options) => {
    useBackend(target)
    const test = makeCase({ B: 5, T: 3, I: 33, H: 31, seed: 5, ...options })
    const plain = runCase(float32(), test, Float32Array)
    const packed = runCase(float32(), test, Float32Array, { isPacked: true })
    expectSameBits(packed.outputs, plain.outputs)
    expectSameBits(packed.gradients, plain.gradients)
  })

  it.each(activationOptions)('equals the reference with the function $kind in every place', (each) => {
    useBackend(target)
    const shape = { B: 5, T: 4, I: 3, H: 17 }
    for (const place of ['gateActivation', 'cellActivation', 'outputActivation'] as const) {
      const test = makeCase({ ...shape, seed: 5, variant: { [place]: each, clip: 1.5 } })
      const truth = runCase(referenceKernels, test, Float64Array)
      const result = runCase(float32(), test, Float32Array)
      expect(worstError(result.outputs, truth.outputs).error).toBeLessThan(bound(shape.I + shape.H, shape.T))
      const { error } = worstError(result.gradients, truth.gradients)
      expect(error).toBeLessThan(2 * bound(4 * shape.H * shape.B, shape.T))
    }
  })

  it.each(optionSets)('gives the same bits with 1, 2, 3 and 4 threads with $name', (options) => {
    useBackend(target)
    // Large enough for the pool to be used; B = 3 shares out units, B = 31 rows.
    for (const B of [3, 31]) {
      const test = makeCase({ B, T: 24, I: 40, H: 72, seed: 3, ...options })
      const results = [1, 2, 3, 4].map((threads) => {
        setThreads(threads)
        return runCase(float32(), test, Float32Array)
      })
      for (const { outputs, gradients } of results.slice(1)) {
        expectSameBits(outputs, results[0].outputs)
        expectSameBits(gradients, results[0].gradients)
      }
    }
    setThreads(2)
  })

  it.each(optionSets)('gives a sequence the same bits alone and in any batch with $name', (options) => {
    useBackend(target)
    const whole = makeCase({ B: 29, T: 7, I: 10, H: 37, seed: 4, ...options })
    const together = runCase(float32(), whole, Float32Array)
    for (const b of [0, 5, 13, 28]) {
      const alone = runCase(float32(), whole.only([b]), Float32Array)
      for (const name of ['y', 'hn', 'cn'] as const) {
        const width = alone.outputs[name].length
        const row = together.outputs[name].subarray(b * width, (b + 1) * width)
        expectSameBits({ [name]: alone.outputs[name] }, { [name]: row })
      }
      for (const name of ['dx', 'dh0', 'dc0'] as const) {
        const width = alone.gradients[name].length
        const row = together.gradients[name].subarray(b * width, (b + 1) * width)
        expectSameBits({ [name]: alone.gradients[name] }, { [name]: row })
      }
    }
  })
})
