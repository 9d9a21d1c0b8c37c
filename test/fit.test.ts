import {
  adam,
  type BatchProgress,
  batches,
  clipByNorm,
  cosine,
  crossEntropy,
  type DataSet,
  dataSet,
  evaluate,
  fit,
  Linear,
  LSTM,
  mae,
  meanSquaredError,
  noGrad,
  parametersOf,
  plateau,
  Sequential,
  seedAll,
  sgd,
  type Tensor,
  tensor,
} from 'lstm-native'
import { describe, expect, it } from 'vitest'
import { all, base, distance, regressor, sequences, tagger, weightsOf } from './support/small-model.ts'

describe('fit', () => {
  it('does what the loop written by hand does, to the bit', async () => {
    const [byHand, fitted] = [regressor(), regressor()]
    const data = sequences(12)
    const parameters = parametersOf(byHand)
    const optimizer = adam({ learningRate: 0.01 }).bind(parameters)
    const losses: number[] = []
    for (const { x, y } of batches(data, { batchSize: 4 })) {
      optimizer.zeroGrad()
      const loss = meanSquaredError(byHand.forward(x), y)
      loss.backward()
      optimizer.step(clipByNorm(parameters, { maximum: 0.5 }))
      losses.push(loss.item())
    }
    const seen: BatchProgress[] = []
    const options = { shuffle: false, clipNorm: 0.5, optimizer: adam({ learningRate: 0.01 }) }
    await all(fit(fitted, data, { ...base, ...options, onBatch: (progress) => seen.push(progress) }))
    expect(weightsOf(fitted)).toEqual(weightsOf(byHand))
    expect(seen.map(({ loss }) => loss)).toEqual(losses)
  })

  it('learns, and reports losses, metrics, rate and time of each epoch and batch', async () => {
    const data = sequences(10)
    const seen: BatchProgress[] = []
    const epochs = await all(
      fit(regressor(), data, {
        ...base,
        optimizer: adam({ learningRate: 0.02 }),
        epochs: 30,
        validation: data,
        metrics: { mae },
        onBatch: (progress) => seen.push(progress),
      }),
    )
    expect(epochs.map(({ number }) => number)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
    const [first, last] = [epochs[0], epochs[29]]
    expect(last.loss).toBeLessThan(0.7 * first.loss)
    expect(last.validationMetrics!.mae).toBeLessThan(first.validationMetrics!.mae)
    expect(last).toMatchObject({ epochs: 30, step: 90, samples: 10, learningRate: 0.02, stopped: false })
    expect(last.samplesPerSecond).toBeGreaterThan(0)
    expect(seen).toHaveLength(90)
    expect(seen[4]).toMatchObject({ epoch: 2, epochs: 30, batch: 2, batches: 3, step: 5 })
    expect(seen[0].secondsLeft).toBeGreaterThan(0)
    expect(seen[89].secondsLeft).toBe(0)
    expect(seen[2].meanLoss).toBeCloseTo((4 * seen[0].loss + 4 * seen[1].loss + 2 * seen[2].loss) / 10, 12)
    expect(seen[89].meanLoss).toBe(last.loss)
  })

  it('evaluates as a pass over the validation set by hand does, without dropout and without gradients', async () => {
    const model = regressor({ recurrentDropout: 0.5 })
    const data = sequences(8)
    const [epoch] = await all(fit(model, data, { ...base, validation: data, metrics: { mae } }))
    const { x, y } = data.batch([0, 1, 2, 3, 4, 5, 6, 7])
    const prediction = noGrad(() => model.forward(x))
    // Two batches of four against one of eight, in float64: a few roundings of 1.1e-16.
    expect(epoch.validationLoss).toBeCloseTo(meanSquaredError(prediction, y).item(), 13)
    expect(epoch.validationMetrics!.mae).toBeCloseTo(mae(prediction, y), 13)
    const again = await evaluate(model, data, { loss: meanSquaredError, batchSize: 4 })
    expect(again.loss).toBe(epoch.validationLoss)
  })

  it('gives the same bits for one seed and others for another, dropout and order included', async () => {
    const run = async (seed: number | undefined, disturb = 0) => {
      const model = regressor({ recurrentDropout: 0.3, dataType: 'float32' })
      const data = sequences(13, { dataType: 'float32' })
      const losses: number[] = []
      for await (const epoch of fit(model, data, { ...base, epochs: 3, seed })) {
        seedAll(disturb)
        losses.push(epoch.loss)
      }
      return { losses, weights: weightsOf(model) }
    }
    expect(await run(1)).toEqual(await run(1, 99))
    expect((await run(1)).losses).not.toEqual((await run(2)).losses)
    seedAll(5)
    const first = await run(undefined)
    seedAll(5)
    expect(await run(undefined)).toEqual(first)
  })

  it('puts layers in training mode for its steps alone', async () => {
    const model = regressor()
    const modes: boolean[] = []
    const loss = (prediction: Tensor, target: Tensor) => {
      modes.push(...model.layers.map((layer) => (layer as LSTM).training))
      return meanSquaredError(prediction, target)
    }
    const between: boolean[] = []
    const onBatch = () => between.push((model.layers[0] as LSTM).training)
    await all(fit(model, sequences(4), { ...base, validation: sequences(4), loss, onBatch }))
    expect(modes).toEqual([true, true, true, false, false, false])
    expect(between).toEqual([false])
  })
})

describe('accumulation', () => {
  it('of batches, the last one smaller, makes the update of one big batch', async () => {
    const [small, big] = [regressor(), regressor()]
    const data = sequences(10)
    const options = { ...base, shuffle: false, clipNorm: 0.2 }
    const [first] = await all(fit(small, data, { ...options, batchSize: 4, accumulate: 3 }))
    const [second] = await all(fit(big, data, { ...options, batchSize: 10 }))
    expect([first.step, second.step]).toEqual([1, 1])
    // The same sum of float64 gradients in another order.
    expect(distance(small, big)).toBeLessThan(1e-15)
    expect(first.loss).toBeCloseTo(second.loss, 14)
  })

  it('makes the update for the batches left over at the end of an epoch', async () => {
    const [epoch] = await all(fit(regressor(), sequences(12), { ...base, accumulate: 2 }))
    expect(epoch.step).toBe(2)
  })
})

describe('truncated backpropagation', () => {
  it('over a window as long as the sequences is the full one, to the bit', async () => {
    const [full, truncated] = [tagger(), tagger()]
    const data = sequences(6, { perStep: true })
    await all(fit(full, data, base))
    await all(fit(truncated, data, { ...base, truncate: 5 }))
    expect(weightsOf(truncated)).toEqual(weightsOf(full))
  })

  it('carries the state, not the gradient, from window to window, as the loop by hand does', async () => {
    const [byHand, fitted] = [tagger(), tagger()]
    const data = sequences(4, { steps: 7, perStep: true })
    const { x, y } = data.batch([0, 1, 2, 3])
    const part = (t: Tensor, [start, end]: number[]) => {
      const rows = (t.toArray() as number[][][]).map((sequence) => sequence.slice(start, end))
      return tensor(rows, { dataType: 'float64' })
    }
    const optimizer = sgd({ learningRate: 0.1 }).bind(parametersOf(byHand))
    let state: unknown = null
    let sum = 0
    for (const range of [
      [0, 3],
      [3, 6],
      [6, 7],
    ]) {
      optimizer.zeroGrad()
      const result = byHand.forward(part(x, range), { state })
      const loss = meanSquaredError(result.output, part(y, range))
      loss.backward()
      optimizer.step()
      const [{ h, c }] = result.state as [{ h: Tensor; c: Tensor }]
      state = [{ h: h.clone(), c: c.clone() }, null]
      sum += loss.item() * (range[1] - range[0])
    }
    const [epoch] = await all(fit(fitted, data, { ...base, shuffle: false, truncate: 3 }))
    expect(weightsOf(fitted)).toEqual(weightsOf(byHand))
    expect(epoch).toMatchObject({ step: 3, samples: 4 })
    expect(epoch.loss).toBeCloseTo(sum / 7, 14)
  })

  it('leaves out windows in which every sequence has ended', async () => {
    const x = tensor(new Float64Array(2 * 6 * 2).fill(0.5), { shape: [2, 6, 2] })
    const y = tensor(new Float64Array(2 * 6).fill(1), { shape: [2, 6, 1] })
    const batch = { x, y, lengths: Int32Array.of(2, 3) }
    const [epoch] = await all(fit(tagger(), [batch], { ...base, truncate: 2 }))
    expect(epoch.step).toBe(2)
  })

  it('needs targets for each step', async () => {
    const run = all(fit(regressor(), sequences(4), { ...base, truncate: 2 }))
    await expect(run).rejects.toThrow(
      /batch 1 of epoch 1: truncate: 2 cuts the 5 steps .* needs targets for each step/,
    )
  })
})

describe('padding', () => {
  it('has no part in loss, metrics and gradients where targets are per step', async () => {
    const steps = [3, 1, 2]
    const items = steps.map((n) => sequences(1, { steps: n, perStep: true, seed: n }).batch([0]))
    const ragged = dataSet({
      x: items
        .map(({ x }) => x.toArray() as number[][][])
        .map(([rows]) => tensor(rows, { dataType: 'float64' })),
      y: items
        .map(({ y }) => y.toArray() as number[][][])
        .map(([rows]) => tensor(rows, { dataType: 'float64' })),
    })
    const [padded, apart] = [tagger(), tagger()]
    const options = { ...base, batchSize: 3, metrics: { mae } }
    const [first] = await all(fit(padded, ragged, { ...options, validation: ragged }))
    const [second] = await all(fit(apart, items, { ...options, accumulate: 3, validation: items }))
    // The same steps, in one padded batch and in three batches weighed by their steps, in float64.
    expect(distance(padded, apart)).toBeLessThan(1e-15)
    for (const name of ['loss', 'validationLoss'] as const) expect(first[name]).toBeCloseTo(second[name]!, 13)
    expect(first.metrics.mae).toBeCloseTo(second.metrics.mae, 13)
  })

  it('of classes is not counted either', async () => {
    const model = new Sequential([
      new LSTM({ inputSize: 1, hiddenSize: 2, seed: 1 }),
      new Linear({ inputSize: 2, outputSize: 3, seed: 1 }),
    ])
    const data = dataSet({ x: [[[1], [2], [3]], [[4]]], y: [[0, 1, 2], [2]] }, { yType: 'int32' })
    const { loss, metrics } = await evaluate(model, data, {
      loss: crossEntropy,
      metrics: {
        counted: (_, __, options) => [...(options?.mask?.data ?? [])].reduce((sum, n) => sum + n, 0),
      },
    })
    expect(metrics.counted).toBe(4)
    const apart = [[[[1], [2], [3]]], [[[4]]]].map((x) => model.forward(tensor(x)))
    const [long, short] = [
      crossEntropy(apart[0], tensor(Int32Array.of(0, 1, 2), { shape: [1, 3] })),
      crossEntropy(apart[1], tensor(Int32Array.of(2), { shape: [1, 1] })),
    ]
    expect(loss).toBeCloseTo((3 * long.item() + short.item()) / 4, 6)
  })
})

describe('early stopping', () => {
  it('ends training and puts the best weights back before the last epoch is reported', async () => {
    const model = regressor()
    // The monitored number says which epoch is best; the model goes on learning all the same.
    const values = [5, 3, 4, 3, 6]
    const after: Record<string, number[]>[] = []
    const reports = []
    const early = { patience: 3, monitor: ({ number }: { number: number }) => values[number - 1] }
    for await (const epoch of fit(model, sequences(8), { ...base, epochs: 9, earlyStopping: early })) {
      reports.push([epoch.improved, epoch.stopped])
      after.push(weightsOf(model))
    }
    expect(reports).toEqual([
      [true, false],
      [true, false],
      [false, false],
      [false, false],
      [false, true],
    ])
    expect(after[3]).not.toEqual(after[1])
    expect(after[4]).toEqual(after[1])
    expect(weightsOf(model)).toEqual(after[1])
  })

  it('counts only improvements of more than minDelta, and restores at the end of a full run too', async () => {
    const model = regressor()
    const after: Record<string, number[]>[] = []
    const monitor = ({ number }: { number: number }) => [1, 0.95, 0.8, 0.85][number - 1]
    const options = { ...base, epochs: 4, earlyStopping: { patience: 9, minDelta: 0.1, monitor } }
    const improved = []
    for await (const epoch of fit(model, sequences(8), options)) {
      improved.push(epoch.improved)
      after.push(weightsOf(model))
    }
    expect(improved).toEqual([true, false, true, false])
    expect(after[3]).toEqual(after[2])
  })

  it('watches the validation loss, or the loss where there is no validation set', async () => {
    const watch = async (validation: DataSet | undefined) => {
      const run = fit(regressor(), sequences(8), {
        ...base,
        epochs: 50,
        validation,
        optimizer: adam({ learningRate: 0.1 }),
        earlyStopping: { patience: 3 },
      })
      return all(run)
    }
    const withValidation = await watch(sequences(8, { seed: 77 }))
    const last = withValidation.at(-1)!
    expect(last.stopped).toBe(true)
    const losses = withValidation.map(({ validationLoss }) => validationLoss!)
    expect(losses.indexOf(Math.min(...losses))).toBe(withValidation.length - 4)
    const without = await watch(undefined)
    expect(without.length).toBeGreaterThan(withValidation.length)
  })
})

describe('schedules', () => {
  it('set the rate of each update and hear of each epoch', async () => {
    const rates: number[] = []
    const onBatch = ({ learningRate }: BatchProgress) => rates.push(learningRate)
    await all(fit(regressor(), sequences(8), { ...base, epochs: 2, schedule: cosine(), onBatch }))
    const expected = [0, 1, 2, 3].map((t) => 0.05 * (1 + Math.cos((Math.PI * t) / 4)))
    // The closed form in another order of operations: one or two roundings.
    for (const [n, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[n], 15)

    const flat = { loss: (p: Tensor, t: Tensor) => meanSquaredError(p, p.detach() ?? t), epochs: 4 }
    const epochs = await all(
      fit(regressor(), sequences(4), { ...base, ...flat, schedule: plateau({ patience: 0, factor: 0.5 }) }),
    )
    expect(epochs.map(({ learningRate }) => learningRate)).toEqual([0.1, 0.1, 0.05, 0.025])
    const own = await all(
      fit(regressor(), sequences(4), { ...base, schedule: ({ step, base }) => base / (step + 1) }),
    )
    expect(own[0].learningRate).toBe(0.1)
  })
})
