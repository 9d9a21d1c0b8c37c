import { setTimeout as wait } from 'node:timers/promises'
import {
  adam,
  type Batch,
  batches,
  fit,
  type Model,
  meanSquaredError,
  NonFiniteLossError,
  parametersOf,
  type Random,
  type Tensor,
  tensor,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { all, base, regressor, sequences, weightsOf } from './support/small-model.ts'

describe('data', () => {
  it('may be an async iterable, or a function that starts one with a stream of its own in each epoch', async () => {
    const data = sequences(8)
    async function* source() {
      for (const batch of batches(data, { batchSize: 4 })) {
        await wait(1)
        yield batch
      }
    }
    const [plain, iterated, called] = [regressor(), regressor(), regressor()]
    await all(fit(plain, data, { ...base, shuffle: false, epochs: 2 }))
    await all(fit(iterated, { [Symbol.asyncIterator]: source }, { ...base, epochs: 2 }))
    expect(weightsOf(iterated)).toEqual(weightsOf(plain))
    const draws: number[] = []
    const numbers: number[] = []
    const make = ({ number, random }: { number: number; random: Random }) => {
      numbers.push(number)
      draws.push(random.uint32())
      return source()
    }
    await all(fit(called, make, { ...base, epochs: 2 }))
    expect(weightsOf(called)).toEqual(weightsOf(plain))
    expect(numbers).toEqual([1, 2])
    const before = [...draws]
    await all(fit(called, make, { ...base, epochs: 2 }))
    expect(draws.slice(2)).toEqual(before)
    expect(before[0]).not.toBe(before[1])
  })

  it('that are used up after one epoch are refused with the way out', async () => {
    const once = batches(sequences(4), { batchSize: 4 })
    await expect(all(fit(regressor(), once, { ...base, epochs: 2 }))).rejects.toThrow(
      /nothing to learn from in epoch 2; .* pass the function that makes it/,
    )
  })

  it('that do not fit are refused naming the batch', async () => {
    const good = sequences(4).batch([0, 1, 2, 3])
    const refuse = async (bad: unknown, message: RegExp, model: Model = regressor()) => {
      await expect(all(fit(model, [good, bad as Batch], base))).rejects.toThrow(message)
    }
    await refuse(
      { x: good.x, y: sequences(3).batch([0, 1, 2]).y },
      /batch 2 of epoch 1: .* x \[4,5,2\] and y \[3,1\]/,
    )
    await refuse(
      { ...good, lengths: Int32Array.of(1, 2, 3) },
      /batch 2 of epoch 1: expected lengths .* Int32Array\(3\)/,
    )
    await refuse(
      { ...good, lengths: Int32Array.of(1, 2, 3, 6) },
      /batch 2 of epoch 1: expected lengths\[3\] in \[0, 5\], got 6/,
    )
    await refuse({ x: [[1]], y: good.y }, /batch 2 of epoch 1: expected tensors x and y/)
    const wide = tensor(new Float64Array(4 * 5 * 3), { shape: [4, 5, 3] })
    await refuse(
      { x: wide, y: good.y },
      /batch 2 of epoch 1 \(x \[4,5,3\], y \[4,1\]\): LSTM.forward: expected x of shape/,
    )
    await refuse(
      { x: good.x, y: sequences(4, { perStep: true }).batch([0, 1, 2, 3]).y },
      /batch 2 of epoch 1 .* meanSquaredError/,
    )
    await expect(
      all(fit(regressor(), [good], { ...base, validation: [good, { ...good, y: wide }] })),
    ).rejects.toThrow(/fit: validation: batch 2 .* meanSquaredError/)
  })
})

describe('a loss that is not finite', () => {
  const good = sequences(4).batch([0, 1, 2, 3])
  const poisoned = (value: number): Batch => {
    const x = good.x.clone()
    x.data[3] = value
    return { ...good, x }
  }

  it('stops training, names step, loss and largest gradient, and leaves the parameters of the last update', async () => {
    const [model, short] = [regressor(), regressor()]
    await all(fit(short, [good, good], base))
    const error = await all(fit(model, [good, good, poisoned(Number.NaN), good], base)).catch((e) => e)
    expect(error).toBeInstanceOf(NonFiniteLossError)
    expect(error).toMatchObject({ step: 3, loss: Number.NaN })
    expect(error.largestGradient.value).toBeNaN()
    expect([...parametersOf(model).keys()]).toContain(error.largestGradient.name)
    expect(error.message).toContain(
      `the loss is NaN at step 3; the largest gradient is NaN in ${error.largestGradient.name}`,
    )
    expect(weightsOf(model)).toEqual(weightsOf(short))
  })

  it('is noticed where the gradient is finite', async () => {
    const model = regressor({ dataType: 'float32' })
    const before = weightsOf(model)
    const { x, y } = sequences(4, { dataType: 'float32' }).batch([0, 1, 2, 3])
    y.data[0] = 1e25
    const error = await all(fit(model, [{ x, y }], base)).catch((e) => e)
    expect(error).toBeInstanceOf(NonFiniteLossError)
    expect(error.loss).toBe(Infinity)
    expect(Math.abs(error.largestGradient.value)).toBeGreaterThan(1e20)
    expect(weightsOf(model)).toEqual(before)
  })

  it('is noticed by its gradient too, and in validation', async () => {
    const model = regressor()
    const before = weightsOf(model)
    const steep = (p: Tensor, t: Tensor) => {
      const value = meanSquaredError(p, t)
      const { backward } = value
      value.backward = () => backward.call(value, Float64Array.of(Infinity))
      return value
    }
    const error = await all(fit(model, [good], { ...base, loss: steep })).catch((e) => e)
    expect(error).toBeInstanceOf(NonFiniteLossError)
    expect(error.loss).toBeGreaterThan(0)
    expect(weightsOf(model)).toEqual(before)
    const run = all(fit(model, [good], { ...base, validation: [poisoned(Number.NaN)] }))
    await expect(run).rejects.toThrow(NonFiniteLossError)
  })
})

describe('an abort', () => {
  it('ends training between two batches with its reason, the model being whole', async () => {
    const [model, same] = [regressor(), regressor()]
    const data = sequences(4000, { steps: 20 })
    const controller = new AbortController()
    let done = 0
    const onBatch = () => void done++
    setTimeout(() => controller.abort(new Error('enough')), 40)
    const run = all(
      fit(model, data, { ...base, shuffle: false, epochs: 1000, signal: controller.signal, onBatch }),
    )
    await expect(run).rejects.toThrow('enough')
    expect(done).toBeGreaterThan(0)
    let left = done
    for await (const _ of fit(
      same,
      function* () {
        for (const batch of batches(data, { batchSize: 4 })) if (left-- > 0) yield batch
      },
      base,
    ));
    expect(weightsOf(model)).toEqual(weightsOf(same))
  })

  it('does not wait for data that do not come, and closes their source', async () => {
    const controller = new AbortController()
    let closed = false
    const stuck = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          closed = true
          return { done: true as const, value: undefined }
        },
      }),
    }
    setTimeout(() => controller.abort(), 5)
    const run = all(fit(regressor(), stuck, { ...base, signal: controller.signal }))
    await expect(run).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    expect(closed).toBe(true)
    await expect(all(fit(regressor(), stuck, { ...base, signal: AbortSignal.abort('before') }))).rejects.toBe(
      'before',
    )
  })

  it('is possible because other events get their turn', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const began = performance.now()
    await all(fit(regressor(), sequences(2000), { ...base, epochs: 3 }))
    clearInterval(timer)
    // Training holds the thread for 15 ms and a batch at a time, here a millisecond; a busy machine stretches both.
    expect((performance.now() - began) / turns).toBeLessThan(60)
  })

  it('by leaving the loop works as well', async () => {
    const model = regressor()
    for await (const epoch of fit(model, sequences(4), { ...base, epochs: 10 })) if (epoch.number === 2) break
    for (const parameter of parametersOf(model).values())
      expect([...parameter.grad!].every((g) => g === 0)).toBe(true)
  })
})

describe('options', () => {
  const refuse = (options: object, message: RegExp) =>
    expect(() => fit(regressor(), sequences(4), { ...base, ...options })).toThrow(message)

  it('are refused at once where they are unknown, missing or out of range', () => {
    refuse({ clipnorm: 1 }, /fit: unknown option "clipnorm"; did you mean "clipNorm"/)
    refuse({ loss: undefined }, /expected loss to be a function such as meanSquaredError, got undefined/)
    refuse({ optimizer: adam }, /expected optimizer to be such as adam/)
    refuse({ epochs: 0 }, /expected epochs to be a positive integer, got 0/)
    refuse({ clipNorm: -1 }, /expected clipNorm/)
    refuse({ truncate: 1.5 }, /expected truncate to be a positive integer, got 1.5/)
    refuse(
      { earlyStopping: { patince: 1 } },
      /earlyStopping: unknown option "patince"; did you mean "patience"/,
    )
    refuse({ checkpoint: { every: 2 } }, /expected checkpoint.path to be a text, got undefined/)
    expect(() => fit(regressor(), 7 as never, base)).toThrow(/fit: expected a data set, .* got 7/)
    expect(() => fit({ forward: (x) => x }, sequences(4), base)).toThrow(/the model has no parameters/)
  })
})
