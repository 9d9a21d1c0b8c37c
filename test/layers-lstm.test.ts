/** LSTM and Sequential: padding, state, sampling. Gradients are in gradients-lstm.test.ts. */
import { describe, expect, it } from 'vitest'
import { activation } from '../lib/layers/activation.ts'
import { lastStep } from '../lib/layers/last-step.ts'
import { setTraining } from '../lib/layers/layer.ts'
import { LSTM, type LSTMOptions } from '../lib/layers/lstm.ts'
import { LSTMCell } from '../lib/layers/lstm-cell.ts'
import { Sequential } from '../lib/layers/sequential.ts'
import { detachState, type LSTMState } from '../lib/layers/state.ts'
import { multiply, tanh } from '../lib/operations/pointwise.ts'
import { sum } from '../lib/operations/reductions.ts'
import { concat, slice } from '../lib/operations/shape.ts'
import { Random, withRandom } from '../lib/random.ts'
import { recycle } from '../lib/tape.ts'
import { Tensor, tensor, zeros } from '../lib/tensor.ts'
import { randomTensor } from './support/finite-differences.ts'
import { everything } from './support/lstm-options.ts'

const random = (shape: readonly number[], seed = 1) => randomTensor(shape, { seed }).detach()

describe('LSTM', () => {
  const [B, T] = [4, 6]
  const lengths = Int32Array.of(6, 0, 3, 1)
  const { dropout: _dropout, ...options } = everything
  const x = random([B, T, 3])

  it('returns outputs of shape [B, T, D·R] and a state of [L·D, B, R] and [L·D, B, H]', () => {
    const { output, state } = new LSTM(everything).forward(x)
    expect([output.shape, state.h.shape, state.c.shape]).toEqual([
      [B, T, 4],
      [4, B, 2],
      [4, B, 4],
    ])
    const plain = new LSTM({ inputSize: 3, hiddenSize: 5 }).forward(zeros([B, T, 3]))
    expect([plain.output.shape, plain.state.h.shape, plain.state.c.shape]).toEqual([
      [B, T, 5],
      [1, B, 5],
      [1, B, 5],
    ])
  })

  it.each([false, true])('lets nothing of a padded step through, in training %s', (training) => {
    const layer = new LSTM({ ...options, dropout: 0.3 })
    setTraining(layer, training)
    const state: LSTMState = { h: random([4, B, 2], 2), c: random([4, B, 4], 3) }
    const forward = (input: Tensor) =>
      withRandom(new Random(1), () => layer.forward(input, { lengths, state }))
    const noisy = random([B, T, 3])
    for (const [b, length] of lengths.entries()) noisy.data.fill(99, (b * T + length) * 3, (b + 1) * T * 3)
    const [clean, padded] = [forward(x), forward(noisy)]
    expect(padded.output.data).toEqual(clean.output.data)
    expect(padded.state.h.data).toEqual(clean.state.h.data)
    for (const [b, length] of lengths.entries()) {
      const rest = clean.output.data.subarray((b * T + length) * 4, (b + 1) * T * 4)
      expect(rest.every((each) => each === 0)).toBe(true)
    }
    const row = (of: Tensor) => slice(of, { axis: 1, start: 1, end: 2 }).toArray()
    expect([row(clean.state.h), row(clean.state.c)]).toEqual([row(state.h), row(state.c)])
  })

  it('gives padded steps no gradient', () => {
    const input = tensor(random([B, T, 3]).data, { shape: [B, T, 3], requiresGrad: true })
    sum(new LSTM(options).forward(input, { lengths }).output).backward()
    const touched = Array.from({ length: B * T }, (_, row) =>
      input.grad!.slice(row * 3, row * 3 + 3).some((g) => g !== 0),
    )
    expect(touched).toEqual(Array.from({ length: B * T }, (_, row) => row % T < lengths[Math.floor(row / T)]))
  })

  it('treats each sequence of a batch as if it were alone', () => {
    const layer = new LSTM(options)
    const { output, state } = layer.forward(x, { lengths })
    for (const [b, length] of lengths.entries()) {
      const alone = layer.forward(slice(slice(x, { start: b, end: b + 1 }), { axis: 1, end: length }))
      const ours = slice(slice(output, { start: b, end: b + 1 }), { axis: 1, end: length })
      expect(ours.data).toEqual(alone.output.data)
      expect(slice(state.h, { axis: 1, start: b, end: b + 1 }).data).toEqual(alone.state.h.data)
      expect(slice(state.c, { axis: 1, start: b, end: b + 1 }).data).toEqual(alone.state.c.data)
    }
  })

  it('gives the same numbers in chunks with carried state as at once, and so does LSTMCell step by step', () => {
    const forwardOnly: LSTMOptions = { ...options, bidirectional: false, numLayers: 1 }
    const layer = new LSTM(forwardOnly)
    const whole = layer.forward(x)
    let state: LSTMState | null = null
    const chunks = [
      [0, 1],
      [1, 4],
      [4, 6],
    ].map(([start, end]) => {
      const result = layer.forward(slice(x, { axis: 1, start, end }), { state })
      state = detachState(result.state)
      return result.output
    })
    expect(concat(chunks, { axis: 1 }).data).toEqual(whole.output.data)
    expect(state!.c.data).toEqual(whole.state.c.data)

    const {
      recurrentDropout: _recurrent,
      dropoutAcrossTime: _across,
      weightDrop: _weight,
      numLayers: _layers,
      bidirectional: _directions,
      reverse: _reverse,
      merge: _merge,
      returnSequences: _sequences,
      zeroMasked: _zero,
      ...cellOptions
    } = forwardOnly
    const cell = new LSTMCell(cellOptions)
    let carried: LSTMState | undefined
    for (let t = 0; t < T; t++) {
      const step = cell.forward(tensor(slice(x, { axis: 1, start: t, end: t + 1 }).data, { shape: [B, 3] }), {
        state: carried,
      })
      carried = step.state
      expect([...step.output.data]).toEqual([...slice(whole.output, { axis: 1, start: t, end: t + 1 }).data])
    }
    expect([...carried!.c.data]).toEqual([...whole.state.c.data])
  })

  it('samples in training only, and never drops the last output', () => {
    const layer = new LSTM({
      inputSize: 3,
      hiddenSize: 8,
      numLayers: 2,
      dropout: 0.5,
      seed: 1,
      dataType: 'float64',
    })
    const evaluate = () => [...layer.forward(x).output.data]
    const still = evaluate()
    expect(evaluate()).toEqual(still)
    setTraining(layer, true)
    const first = evaluate()
    expect(evaluate()).not.toEqual(first)
    expect(first.every((each) => each !== 0)).toBe(true)
    setTraining(layer, false)
    expect(evaluate()).toEqual(still)
    const single = new LSTM({ inputSize: 3, hiddenSize: 8, dropout: 0.5, dataType: 'float64' })
    setTraining(single, true)
    expect(single.forward(x).output.data).toEqual(single.forward(x).output.data)
  })

  it('samples recurrent dropout and zoneout anew for each sequence, and follows the ambient stream', () => {
    for (const option of ['recurrentDropout', 'zoneoutHidden', 'zoneoutCell'] as const) {
      const layer = new LSTM({ inputSize: 3, hiddenSize: 16, [option]: 0.5, seed: 1, dataType: 'float64' })
      setTraining(layer, true)
      const twins = concat([slice(x, { end: 1 }), slice(x, { end: 1 })])
      const draw = () => withRandom(new Random(3), () => layer.forward(twins).output)
      const output = draw()
      expect(slice(output, { end: 1 }).data, option).not.toEqual(slice(output, { start: 1 }).data)
      expect(draw().data, option).toEqual(output.data)
    }
  })

  it('scales what recurrent dropout keeps, so that h keeps its expectation', () => {
    const layer = new LSTM({
      inputSize: 3,
      hiddenSize: 1,
      recurrentDropout: 0.75,
      seed: 1,
      dataType: 'float64',
    })
    const h = random([1, B, 1], 2)
    const c = random([1, B, 1], 3)
    const first = slice(x, { axis: 1, end: 1 })
    const dropped = layer.forward(first, { state: { h: multiply(h, 0), c } }).output.data
    const kept = layer.forward(first, { state: { h: multiply(h, 4), c } }).output.data
    setTraining(layer, true)
    const seen = new Set<string>()
    for (let run = 0; run < 40; run++) {
      for (const [b, value] of layer.forward(first, { state: { h, c } }).output.data.entries()) {
        seen.add(value === dropped[b] ? 'dropped' : value === kept[b] ? 'kept' : `neither: ${value}`)
      }
    }
    expect([...seen].sort()).toEqual(['dropped', 'kept'])
  })

  it('takes the expectation of zoneout in evaluation: the average over masks', () => {
    const layer = new LSTM({ inputSize: 3, hiddenSize: 2, zoneoutCell: 0.4, seed: 1, dataType: 'float64' })
    const first = slice(x, { axis: 1, end: 1 })
    const state: LSTMState = { h: zeros([1, B, 2], { dataType: 'float64' }), c: random([1, B, 2], 5) }
    const expected = layer.forward(first, { state }).state.c
    setTraining(layer, true)
    const runs = 4000
    const mean = new Float64Array(expected.size)
    withRandom(new Random(1), () => {
      for (let run = 0; run < runs; run++) {
        const { c } = layer.forward(first, { state }).state
        for (let i = 0; i < mean.length; i++) mean[i] += c.array[i] / runs
      }
    })
    // One step is linear in the mask; 4,000 draws of numbers that differ by less than 2: standard error below 0.016.
    for (const [i, each] of mean.entries()) expect(Math.abs(each - expected.data[i])).toBeLessThan(0.06)
  })

  it('refuses inputs and states that do not fit, and says what it expected', () => {
    const layer = new LSTM({ inputSize: 3, hiddenSize: 4, numLayers: 2 })
    expect(() => layer.forward(zeros([2, 3]))).toThrow(
      'LSTM.forward: expected x of shape [B, T, 3], got [2,3]',
    )
    expect(() => layer.forward(zeros([2, 5, 4]))).toThrow('expected x of shape [B, T, 3], got [2,5,4]')
    const state = { h: zeros([1, 2, 4]), c: zeros([2, 2, 4]) }
    expect(() => layer.forward(zeros([2, 5, 3]), { state })).toThrow('state.h of shape [2,2,4], got [1,2,4]')
    expect(() => layer.forward(zeros([2, 5, 3]), { state: {} as LSTMState })).toThrow(
      'state.h to be a Tensor',
    )
    expect(() => layer.forward(zeros([2, 5, 3]), { lengths: Int32Array.of(1) })).toThrow('expected 2 lengths')
    expect(() => layer.forward(zeros([2, 5, 3]), { lengths: [1, 2] as never })).toThrow(
      'lengths to be an Int32Array',
    )
    const cell = new LSTMCell({ inputSize: 3, hiddenSize: 4 })
    expect(() => cell.forward(zeros([2, 5, 3]))).toThrow(
      'LSTMCell.forward: expected x of shape [B, 3], got [2,5,3]',
    )
  })
})

describe('Sequential', () => {
  const build = () =>
    new Sequential([
      new LSTM({ inputSize: 3, hiddenSize: 4, seed: 1, dataType: 'float64' }),
      activation('tanh'),
      new Sequential([new LSTM({ inputSize: 4, hiddenSize: 2, seed: 2, dataType: 'float64' })]),
    ])
  const x = random([2, 6, 3])

  it('returns a tensor, or output and state where a state is asked for', () => {
    const model = build()
    const plain = model.forward(x)
    const pair = model.forward(x, { state: null })
    expect(plain).toBeInstanceOf(Tensor)
    expect(pair.output.data).toEqual(plain.data)
    expect(pair.state).toHaveLength(3)
  })

  it('carries the state of every layer inside, so that windows join without a seam', () => {
    const model = build()
    const first = model.forward(slice(x, { axis: 1, end: 2 }), { state: null })
    const second = model.forward(slice(x, { axis: 1, start: 2 }), { state: detachState(first.state) })
    expect(concat([first.output, second.output], { axis: 1 }).data).toEqual(model.forward(x).data)
  })

  it('gives lengths to every layer', () => {
    const lengths = Int32Array.of(2, 5)
    const lstm = new LSTM({ inputSize: 3, hiddenSize: 4, seed: 1, dataType: 'float64' })
    const last = new Sequential([lstm, lastStep()]).forward(x, { lengths })
    // Of a forward LSTM, the output of the last valid step is the final h.
    expect([...last.data]).toEqual([...lstm.forward(x, { lengths }).state.h.data])
  })

  it('steps an LSTMCell with carried state', () => {
    const cell = new LSTMCell({ inputSize: 3, hiddenSize: 4, seed: 1, dataType: 'float64' })
    const model = new Sequential([cell, activation('tanh')])
    const step = slice(x, { axis: 1, end: 1 }).data
    const input = tensor(step, { shape: [2, 3] })
    const first = model.forward(input, { state: null })
    const second = model.forward(input, { state: first.state })
    const { state } = cell.forward(input)
    expect(second.output.data).toEqual(tanh(cell.forward(input, { state }).output).data)
  })

  it('refuses a state of another model', () => {
    expect(() => build().forward(x, { state: [null] })).toThrow('a model of 3 layers returned, or null')
  })
})

describe('detachState', () => {
  it('copies every tensor in nested arrays and objects, so that history ends and recycling spares them', () => {
    const model = new Sequential([new LSTM({ inputSize: 1, hiddenSize: 2 }), lastStep()])
    const x = zeros([1, 3, 1])
    const state = recycle(() => detachState(model.forward(x, { state: null }).state)) as [LSTMState, null]
    expect(state[0].h.requiresGrad).toBe(false)
    expect([...state[0].c.data]).toHaveLength(2)
    expect(state[1]).toBeNull()
  })
})
