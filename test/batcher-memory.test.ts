/** Memory that is used again: inputs of the batcher's own, results where the caller wants them. */
import { Batcher, compile, Linear, LSTM, lastStep, Sequential, type Tensor, tensor } from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { ArrayPool } from '../lib/inference/array-pool.ts'
import { HeldKernels, turn } from './support/held-kernels.ts'

describe('a pool of arrays', () => {
  it('gives an array to one at a time, and what was given back again', () => {
    const pool = new ArrayPool(new Float32Array(0))
    const [a, b] = [pool.take(3000), pool.take(3000)]
    expect(a).not.toBe(b)
    expect(a.length).toBeGreaterThanOrEqual(3000)
    pool.give(a)
    expect(pool.take(5000)).not.toBe(a)
    expect(pool.take(2500)).toBe(a)
    expect(pool.take(2500)).not.toBe(a)
  })

  it('has arrays of its type, and of the length itself where it keeps none', () => {
    for (const like of [new Float64Array(0), new Int32Array(0)]) {
      const pool = new ArrayPool(like)
      for (const length of [0, 1, 1023, 2 ** 20 + 1]) {
        const array = pool.take(length)
        expect(array.constructor).toBe(like.constructor)
        expect(array.length).toBe(length)
        pool.give(array)
        // `toBe` would compare a million elements.
        expect(pool.take(length) === array).toBe(false)
      }
    }
  })

  it('keeps 32 MB at most', () => {
    const pool = new ArrayPool(new Float32Array(0))
    const given = Array.from({ length: 12 }, () => pool.take(2 ** 20))
    for (const array of given) pool.give(array)
    const kept = new Set(Array.from({ length: 12 }, () => pool.take(2 ** 20)))
    expect(given.filter((array) => kept.has(array))).toHaveLength(8)
  })
})

const model = () =>
  new Sequential([
    new LSTM({ inputSize: 1, hiddenSize: 20, seed: 1 }),
    new Linear({ inputSize: 20, outputSize: 2, seed: 2 }),
  ])

function setUp(made = model()) {
  const plan = compile(made)
  const alone = (x: Float32Array): Tensor => {
    const { shape, data } = plan.predictSync(tensor(x, { shape: [1, x.length, 1] }))
    return tensor(data, { shape: shape.slice(1) })
  }
  const held = new HeldKernels(plan)
  return { held, alone, batcher: new Batcher(plan) }
}

const ramp = (T: number, from: number) => Float32Array.from({ length: T }, (_, t) => from + t / T)

describe('a result where the caller wants it', () => {
  it('stands there, whole or put together of parts', async () => {
    for (const perRow of [1e-3, 1000]) {
      const { held, batcher, alone } = setUp()
      held.perRow = perRow
      // The pace is known from then on.
      await held.serve(batcher.predict(ramp(8, 3)))
      const x = ramp(60, 0)
      const output = tensor(new Float32Array(120).fill(9), { shape: [60, 2] })
      const promise = batcher.predict(x, { output })
      await turn()
      let runs = 0
      for (; held.runs.length > 0; runs++) await held.release()
      if (perRow > 1) expect(runs).toBeGreaterThan(3)
      else expect(runs).toBe(1)
      expect(await promise).toBe(output)
      expect(output.data).toEqual(alone(x).data)
    }
  })

  it('may be of one step, and beside a state', async () => {
    const { held, batcher, alone } = setUp(new Sequential([...model().layers.slice(0, 1), lastStep()]))
    const x = ramp(5, 1)
    const output = tensor(new Float32Array(20), { shape: [20] })
    const promise = batcher.predict(x, { output, state: null })
    await turn()
    await held.releaseAll()
    const result = await promise
    expect(result.output).toBe(output)
    expect(output.data).toEqual(alone(x).data)
    expect(result.state.shape).toEqual([1, 40])
  })

  it('is not written after the promise is settled', async () => {
    const { held, batcher } = setUp()
    held.perRow = 400
    await held.serve(batcher.predict(ramp(8, 3)))
    for (const releases of [0, 2]) {
      const controller = new AbortController()
      const output = tensor(new Float32Array(120), { shape: [60, 2] })
      const promise = batcher.predict(ramp(60, 0), { output, signal: controller.signal })
      await turn()
      for (let n = 0; n < releases; n++) await held.release()
      expect(held.runs).toHaveLength(1)
      controller.abort(new Error('enough'))
      await expect(promise).rejects.toThrow('enough')
      const data = output.data as Float32Array
      expect(data.some((value) => value !== 0)).toBe(releases > 0)
      data.fill(5)
      await held.releaseAll()
      expect(data.every((value) => value === 5)).toBe(true)
    }
    expect(batcher.statistics.queued).toBe(0)
  })

  it('has the shape and type of the result, and is not for steps of streams', async () => {
    const { batcher } = setUp()
    const x = ramp(4, 0)
    const wrong = [
      [tensor(new Float32Array(8), { shape: [8] }), 'got [8] of float32'],
      [tensor(new Float32Array(10), { shape: [5, 2] }), 'got [5,2] of float32'],
      [tensor(new Float64Array(8), { shape: [4, 2] }), 'got [4,2] of float64'],
      [new Float32Array(8), 'got'],
      [null, 'got null'],
    ] as const
    for (const [output, message] of wrong) {
      const promise = batcher.predict(x, { output: output as Tensor })
      await expect(promise).rejects.toThrow(RangeError)
      await expect(promise).rejects.toThrow('expected output of shape [4,2] and type float32')
      await expect(promise).rejects.toThrow(message)
    }
    const options = { output: tensor(new Float32Array(2)) } as object
    await expect(batcher.stream().next(Float32Array.of(1), options)).rejects.toThrow('output')
    expect(batcher.statistics.queued).toBe(0)
  })
})

describe('an input', () => {
  it('is the caller’s again at once, and the batcher’s copy nobody else’s until the end', async () => {
    const { held, batcher, alone } = setUp()
    held.perRow = 2
    const mine = new Float32Array(1500)
    const inputs = Array.from({ length: 9 }, (_, n) => ramp(1500, n))
    for (const round of [inputs.slice(0, 3), inputs.slice(3, 6), inputs.slice(6)]) {
      const promises = round.map((x) => {
        mine.set(x)
        return batcher.predict(mine)
      })
      await turn()
      await held.releaseAll()
      const results = await Promise.all(promises)
      for (const [i, result] of results.entries()) expect(result.data).toEqual(alone(round[i]).data)
    }
  })
})
