import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  adam,
  type BatchProgress,
  batches,
  cosine,
  type DataSet,
  type Epoch,
  FileFormatError,
  type FitOptions,
  fit,
  load,
  mae,
  meanSquaredError,
  NonFiniteLossError,
  parametersOf,
  plateau,
  rmsprop,
  type Sequential,
  save,
  sgd,
  warmUp,
} from 'lstm-native'
import { afterAll, describe, expect, it } from 'vitest'
import { all, regressor, sequences, tagger, weightsOf } from './support/small-model.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-resume-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

/** Everything but durations. */
const numbersOf = ({ seconds: _, samplesPerSecond: __, ...rest }: Epoch) => rest

interface Case {
  name: string
  make: () => Sequential
  data: () => DataSet
  options: Omit<FitOptions, 'loss' | 'epochs'>
  /** The batch in which the process is killed; 6 make an epoch. */
  killed: number
}

const dataType = 'float32'
const cases: Case[] = [
  {
    killed: 9,
    name: 'adam, recurrent dropout, metrics, validation and early stopping, cosine, shuffled',
    make: () => regressor({ dataType, recurrentDropout: 0.4 }),
    data: () => sequences(22, { dataType }),
    options: {
      optimizer: adam({ learningRate: 0.01 }),
      metrics: { mae },
      validation: sequences(6, { dataType, seed: 5 }),
      earlyStopping: { patience: 9 },
      schedule: cosine(),
      clipNorm: 0.3,
    },
  },
  {
    killed: 9,
    name: 'rmsprop with momentum, accumulation, a plateau after a warm-up',
    make: () => regressor({ dataType }),
    data: () => sequences(22, { dataType }),
    options: {
      optimizer: rmsprop({ learningRate: 0.01, momentum: 0.5 }),
      accumulate: 2,
      schedule: warmUp({ length: 2, next: plateau({ patience: 0, factor: 0.5, threshold: 0.5 }) }),
    },
  },
  {
    name: 'nesterov momentum, truncated windows, accumulation that a batch does not complete',
    killed: 8,
    make: () => tagger({ dataType }),
    data: () => sequences(22, { dataType, perStep: true }),
    options: {
      optimizer: sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true }),
      truncate: 2,
      accumulate: 2,
    },
  },
]

describe('a resumed run has the bits of one that never stopped', () => {
  for (const { name, make, data, options, killed } of cases) {
    const common: FitOptions = { loss: meanSquaredError, epochs: 6, batchSize: 4, seed: 11, ...options }
    const whole = async () => {
      const model = make()
      const losses: number[] = []
      const run = fit(model, data(), { ...common, onBatch: ({ loss }: BatchProgress) => losses.push(loss) })
      return { epochs: (await all(run)).map(numbersOf), losses, weights: weightsOf(model) }
    }

    it(`after an epoch: ${name}`, async () => {
      const expected = await whole()
      const path = at('epoch.safetensors')
      for await (const epoch of fit(make(), data(), { ...common, checkpoint: { path } }))
        if (epoch.number === 2) break
      const model = make()
      for (const { data } of parametersOf(model).values()) data.fill(0)
      const losses: number[] = []
      const onBatch = ({ loss }: BatchProgress) => losses.push(loss)
      const epochs = await all(fit(model, data(), { ...common, resume: path, checkpoint: { path }, onBatch }))
      expect(epochs.map(numbersOf)).toEqual(expected.epochs.slice(2))
      expect(losses).toEqual(expected.losses.slice(-losses.length))
      expect(weightsOf(model)).toEqual(expected.weights)
    })

    it(`in the middle of an epoch: ${name}`, async () => {
      const expected = await whole()
      const path = at('step.safetensors')
      const kept = at('kept.safetensors')
      // What a process leaves that is killed in this batch.
      let batch = 0
      const onBatch = () => {
        if (++batch === killed) copyFileSync(path, kept)
      }
      await all(fit(make(), data(), { ...common, checkpoint: { path, every: 1, unit: 'step' }, onBatch }))
      const model = make()
      const seen: BatchProgress[] = []
      const resumed = fit(model, data(), {
        ...common,
        seed: undefined,
        resume: kept,
        onBatch: (p) => seen.push(p),
      })
      const epochs = (await all(resumed)).map(numbersOf)
      const batchesDone = 36 - seen.length
      expect(batchesDone).toBeGreaterThanOrEqual(killed - 2)
      expect(batchesDone).toBeLessThan(killed)
      expect(epochs).toEqual(expected.epochs.slice(-epochs.length))
      expect(seen.map(({ loss }) => loss)).toEqual(expected.losses.slice(batchesDone))
      expect(weightsOf(model)).toEqual(expected.weights)
    })
  }

  it('with data from a function, in the middle of an epoch', async () => {
    const set = sequences(12)
    const source = ({ random }: { random: import('lstm-native').Random }) =>
      batches(set, { batchSize: 4, random })
    const common: FitOptions = { loss: meanSquaredError, epochs: 3, seed: 2 }
    const path = at('function.safetensors')
    const kept = at('function-kept.safetensors')
    const whole: number[] = []
    const onBatch = ({ loss }: BatchProgress) => {
      whole.push(loss)
      if (whole.length === 6) copyFileSync(path, kept)
    }
    await all(fit(regressor(), source, { ...common, onBatch, checkpoint: { path, unit: 'step' } }))
    const losses: number[] = []
    await all(fit(regressor(), source, { ...common, resume: kept, onBatch: ({ loss }) => losses.push(loss) }))
    expect(losses).toEqual(whole.slice(5))
  })
})

describe('a checkpoint', () => {
  const base: FitOptions = {
    loss: meanSquaredError,
    epochs: 4,
    batchSize: 4,
    seed: 1,
    optimizer: adam({ learningRate: 0.01 }),
  }
  const monitor = ({ number }: Epoch) => [3, 1, 2, 2, 2, 2][number - 1]

  it('is a model file with the last weights', async () => {
    const path = at('model.safetensors')
    const last: Record<string, number[]>[] = []
    const model = regressor()
    for await (const _ of fit(model, sequences(8), { ...base, checkpoint: { path } }))
      last.push(weightsOf(model))
    expect(weightsOf(await load(path))).toEqual(last[3])
    expect(weightsOf(await load(path, { into: regressor() }))).toEqual(last[3])
  })

  it('is written after every so many epochs, and at the end', async () => {
    const path = at('every.safetensors')
    const written: boolean[] = []
    for await (const _ of fit(regressor(), sequences(8), {
      ...base,
      epochs: 5,
      checkpoint: { path, every: 3 },
    })) {
      written.push(existsSync(path))
      rmSync(path, { force: true })
    }
    expect(written).toEqual([false, false, true, false, true])
  })

  it('of a run that early stopping ended gives back the best weights and goes no further', async () => {
    const path = at('stopped.safetensors')
    const model = regressor()
    const options = { ...base, epochs: 9, earlyStopping: { patience: 2, monitor } }
    const epochs = await all(fit(model, sequences(8), { ...options, checkpoint: { path } }))
    expect(epochs).toHaveLength(4)
    const again = regressor()
    expect(await all(fit(again, sequences(8), { ...options, resume: path }))).toEqual([])
    expect(weightsOf(again)).toEqual(weightsOf(model))
    expect(weightsOf(await load(path))).not.toEqual(weightsOf(model))
  })

  it('remembers how long early stopping has waited, and the best weights', async () => {
    const path = at('waiting.safetensors')
    const [whole, part, resumed] = [regressor(), regressor(), regressor()]
    const options = { ...base, epochs: 9, earlyStopping: { patience: 3, monitor } }
    const expected = await all(fit(whole, sequences(8), options))
    for await (const epoch of fit(part, sequences(8), { ...options, checkpoint: { path } }))
      if (epoch.number === 4) break
    const epochs = await all(fit(resumed, sequences(8), { ...options, resume: path }))
    expect(epochs.map(numbersOf)).toEqual(expected.slice(4).map(numbersOf))
    expect(epochs).toHaveLength(1)
    expect(weightsOf(resumed)).toEqual(weightsOf(whole))
  })

  it('stays as it was when a loss is not finite', async () => {
    const path = at('good.safetensors')
    const data = sequences(4).batch([0, 1, 2, 3])
    const bad = { ...data, y: data.y.clone() }
    bad.y.data[0] = Number.NaN
    const model = regressor()
    const source = ({ number }: { number: number }) => [number === 2 ? bad : data]
    const run = fit(model, source, { ...base, checkpoint: { path } })
    await expect(all(run)).rejects.toThrow(NonFiniteLossError)
    expect(weightsOf(await load(path))).toEqual(weightsOf(model))
    const again = regressor()
    expect(await all(fit(again, [data], { ...base, epochs: 2, resume: path }))).toHaveLength(1)
  })

  it('is not replaced by parameters that are not finite', async () => {
    const path = at('finite.safetensors')
    const data = sequences(4)
    await all(fit(regressor(), data, { ...base, epochs: 1, checkpoint: { path } }))
    const before = await load(path)
    const schedule = () => Number.MAX_VALUE
    const run = fit(regressor(), data, {
      ...base,
      optimizer: sgd({ weightDecay: 10 }),
      epochs: 1,
      schedule,
      checkpoint: { path },
    })
    await expect(all(run)).rejects.toThrow(NonFiniteLossError)
    expect(weightsOf(await load(path))).toEqual(weightsOf(before))
  })

  it('that does not fit is refused, and the model is untouched', async () => {
    const path = at('fits.safetensors')
    await all(fit(regressor(), sequences(8), { ...base, epochs: 1, checkpoint: { path } }))
    const refuse = async (options: Partial<FitOptions>, message: RegExp, model = regressor()) => {
      const before = weightsOf(model)
      await expect(all(fit(model, sequences(8), { ...base, resume: path, ...options }))).rejects.toThrow(
        message,
      )
      expect(weightsOf(model)).toEqual(before)
    }
    await refuse({ optimizer: sgd() }, /expected the state of sgd, got that of adam/)
    await refuse({ seed: 2 }, /was begun with seed 1, got seed 2; leave it out to resume/)
    await refuse({}, /tensor "1.weight" is missing/, tagger())
    await refuse({ resume: at('absent.safetensors') }, /cannot be read/)
    await save(regressor(), at('plain.safetensors'))
    await refuse({ resume: at('plain.safetensors') }, /is a model file without training state/)
    const middle = at('middle.safetensors')
    const kept = at('middle-kept.safetensors')
    const onBatch = ({ step }: BatchProgress) => step === 2 && copyFileSync(middle, kept)
    await all(
      fit(regressor(), sequences(16), {
        ...base,
        epochs: 1,
        checkpoint: { path: middle, unit: 'step' },
        onBatch,
      }),
    )
    await refuse({ resume: kept, batchSize: 8 }, /stands in the middle of an epoch with batchSize 4, got 8/)
    const reserved = { optimizer: regressor(), forward: () => sequences(4).batch([0]).y }
    const into = { best: regressor(), forward: reserved.optimizer.forward.bind(reserved.optimizer) }
    const error = await all(fit(into, sequences(8), { ...base, checkpoint: { path: at('reserved') } })).catch(
      (e) => e,
    )
    expect(error).toBeInstanceOf(FileFormatError)
    expect(error).toMatchObject({ code: 'ReservedName', tensor: 'best.0.weight_ih_l0' })
  })
})
