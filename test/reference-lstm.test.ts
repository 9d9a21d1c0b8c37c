/** The reference LSTM by itself: its gradients against finite differences, and what the contract promises. */
import { describe, expect, it } from 'vitest'
import type { FloatArray, LstmForward } from '../lib/kernels/contract.ts'
import { referenceKernels } from '../lib/kernels/reference/index.ts'
import {
  type CallOptions,
  differentiate,
  lstmCall,
  named,
  upstreamOf,
  zeroGradients,
} from './support/lstm-call.ts'

const run = (call: LstmForward) => {
  referenceKernels.lstmForward([call])
  return call
}

function product(a: FloatArray, b: FloatArray): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}

/** Every combination of the given values. */
function combinations(choices: Record<string, readonly unknown[]>): CallOptions[] {
  return Object.entries(choices).reduce<CallOptions[]>(
    (all, [name, values]) => all.flatMap((options) => values.map((value) => ({ ...options, [name]: value }))),
    [{}],
  )
}

/**
 * The largest error of a gradient against central differences of fourth order, over the largest difference. Second
 * order would not do: layer norm of a row of nearly equal numbers bends over a distance of sqrt(1e-5).
 */
function finiteDifferenceError(array: FloatArray, gradient: FloatArray, loss: () => number): number {
  const eps = 1e-5
  let error = 0
  let largest = 0
  for (let i = 0; i < array.length; i++) {
    const value = array[i]
    const lossAt = (shift: number) => {
      array[i] = value + shift
      return loss()
    }
    const difference = 8 * (lossAt(eps) - lossAt(-eps)) - (lossAt(2 * eps) - lossAt(-2 * eps))
    array[i] = value
    const slope = difference / (12 * eps)
    error = Math.max(error, Math.abs(slope - gradient[i]))
    largest = Math.max(largest, Math.abs(slope))
  }
  return error / largest
}

describe('the gradient of the reference LSTM equals central differences', () => {
  const all = combinations({
    layerNorm: [false, true],
    peephole: [false, true],
    P: [0, 2],
    reverse: [false, true],
    lengths: [undefined, [3, 0, 1]],
    recurrentMask: [false, true],
    zoneout: [undefined, 'masks', 0.3],
  })
  const without = combinations({
    bias: [false],
    initialState: [false],
    layerNorm: [false, true],
    reverse: [false, true],
  })
  const describeOptions = (options: CallOptions) =>
    Object.entries(options).flatMap(([name, value]) =>
      value === true ? [name] : value ? [`${name} ${value}`] : [],
    )

  it.each(
    [...all, ...without].map(
      (options) => [describeOptions(options).join(', ') || 'no option', options] as const,
    ),
  )('%s', (_, options) => {
    const call = lstmCall({ B: 3, T: 3, I: 2, H: 3, ...options })
    const upstream = upstreamOf(call)
    const gradients = new Map(named(differentiate(referenceKernels, call, upstream)))
    const loss = () => {
      const { y, hn, cn } = run(call)
      return product(y, upstream.dy) + product(hn, upstream.dhn) + product(cn, upstream.dcn)
    }
    const inputs = Object.entries({ x: call.x, h0: call.h0, c0: call.c0, ...call.parameters })
    for (const [name, array] of inputs) {
      if (!array) continue
      // A loss of about 1 is known to 1e-16, so its differences to 1e-16/1e-5 = 1e-11, the smallest gradients less.
      expect(finiteDifferenceError(array, gradients.get(name)!, loss), name).toBeLessThan(1e-7)
    }
  })
})

const everything: CallOptions = {
  layerNorm: true,
  peephole: true,
  P: 2,
  recurrentMask: true,
  zoneout: 'masks',
}

describe.each([
  ['forward', false],
  ['reverse', true],
])('padding, %s', (_, reverse) => {
  const options = { ...everything, reverse, lengths: [2, 0, 4] }

  it('changes nothing, whatever stands in it, and gets a gradient of exactly zero', () => {
    const [clean, dirty] = [lstmCall(options), lstmCall(options)]
    const isPadding = (i: number) =>
      Math.floor(i / clean.I) % clean.T >= clean.lengths![Math.floor(i / clean.xBatchStride)]
    dirty.x = dirty.x.map((value, i) => (isPadding(i) ? Number.NaN : value)) as FloatArray
    const gradients = [clean, dirty].map((call) =>
      named(differentiate(referenceKernels, call, upstreamOf(call))),
    )
    expect(dirty.y).toEqual(clean.y)
    expect(dirty.hn).toEqual(clean.hn)
    expect(dirty.cn).toEqual(clean.cn)
    expect(gradients[1]).toEqual(gradients[0])
    const [, dx] = gradients[1][0]
    expect([...dx].filter((_, i) => isPadding(i)).every((value) => Object.is(value, 0))).toBe(true)
    expect([...dx].filter((_, i) => !isPadding(i)).every((value) => value !== 0)).toBe(true)
  })

  it('gives zeros in y, whatever the upstream gradient there', () => {
    const call = run(lstmCall(options))
    const R = call.P
    for (let b = 0; b < call.B; b++) {
      const padding = call.y.subarray((b * call.T + call.lengths![b]) * R, (b + 1) * call.T * R)
      expect(padding.every((value) => value === 0)).toBe(true)
    }
    const gradients = [1, 1e6].map((scale) => {
      const upstream = upstreamOf(call)
      upstream.dy = upstream.dy.map((value, i) => (call.y[i] === 0 ? value * scale : value)) as FloatArray
      return named(differentiate(referenceKernels, call, upstream))
    })
    expect(gradients[1]).toEqual(gradients[0])
  })

  it('lets the state and its gradient through a sequence of length 0', () => {
    const call = lstmCall({ ...everything, reverse, lengths: [0, 0, 0] })
    const upstream = upstreamOf(call)
    const { dx, dh0, dc0, dparameters } = differentiate(referenceKernels, call, upstream)
    expect(call.hn).toEqual(call.h0)
    expect(call.cn).toEqual(call.c0)
    expect(dh0).toEqual(upstream.dhn)
    expect(dc0).toEqual(upstream.dcn)
    for (const zeros of [dx, ...Object.values(dparameters)])
      expect(zeros.every((value) => value === 0)).toBe(true)
  })

  it('leaves a padded sequence with the numbers it has alone', () => {
    const call = run(lstmCall({ reverse, lengths: [2, 0, 4] }))
    const alone = run({
      ...lstmCall({ reverse, B: 1, T: 2 }),
      ...{ parameters: call.parameters, h0: call.h0, c0: call.c0, x: call.x },
    })
    expect(alone.y.slice(0, 2 * call.H)).toEqual(call.y.slice(0, 2 * call.H))
    expect(alone.cn).toEqual(call.cn.slice(0, call.H))
  })
})

describe.each([
  ['float32', Float32Array],
  ['float64', Float64Array],
])('the reference LSTM in %s', (_, float) => {
  const options = { ...everything, float, B: 2, T: 5, lengths: [5, 3] }

  it('gives the same bits with a cache and without', () => {
    const [kept, dropped] = [lstmCall(options), lstmCall(options)]
    differentiate(referenceKernels, kept, upstreamOf(kept))
    run(dropped)
    expect([dropped.y, dropped.hn, dropped.cn]).toEqual([kept.y, kept.hn, kept.cn])
  })

  it('gives the same bits where hn and cn are h0 and c0', () => {
    const [apart, inPlace] = [lstmCall(options), lstmCall(options)]
    inPlace.hn = inPlace.h0!
    inPlace.cn = inPlace.c0!
    const gradients = [apart, inPlace].map((call) =>
      named(differentiate(referenceKernels, call, upstreamOf(apart))),
    )
    expect([inPlace.y, inPlace.hn, inPlace.cn]).toEqual([apart.y, apart.hn, apart.cn])
    expect(gradients[1]).toEqual(gradients[0])
  })

  it('gives the same bits for a window cut in two', () => {
    const whole = run(lstmCall({ float, B: 1, T: 5, peephole: true, layerNorm: true, zoneout: 0.3 }))
    const first = run({ ...whole, T: 2, y: whole.y.slice(), hn: whole.hn.slice(), cn: whole.cn.slice() })
    const { I, H } = whole
    const rest = { T: 3, x: whole.x.subarray(2 * I), y: whole.y.slice(2 * H), h0: first.hn, c0: first.cn }
    const second = run({ ...whole, ...rest, hn: whole.hn.slice(), cn: whole.cn.slice() })
    expect(second.y).toEqual(whole.y.slice(2 * H))
    expect([second.hn, second.cn]).toEqual([whole.hn, whole.cn])
  })

  it('reads a reversed sequence as the forward one reads its mirror image', () => {
    const reversed = lstmCall({ float, B: 1, T: 4, reverse: true })
    const { T, I, H } = reversed
    const mirrored = { ...reversed, reverse: false, x: reversed.x.slice(), y: reversed.y.slice() }
    for (let t = 0; t < T; t++) mirrored.x.set(reversed.x.subarray((T - 1 - t) * I, (T - t) * I), t * I)
    run(reversed)
    run({ ...mirrored, hn: mirrored.hn.slice(), cn: mirrored.cn.slice() })
    for (let t = 0; t < T; t++) {
      expect(mirrored.y.slice(t * H, (t + 1) * H)).toEqual(reversed.y.slice((T - 1 - t) * H, (T - t) * H))
    }
  })

  it('reads and writes views into wider, time-major arrays and nothing beside them', () => {
    const dense = lstmCall(options)
    const { B, T, I, P: R } = dense
    const wide = (array: FloatArray, width: number, fill: number) => {
      const out = new float(T * B * (width + 3)).fill(fill)
      const strides = { batch: width + 3, time: B * (width + 3) }
      for (let b = 0; b < B; b++) {
        for (let t = 0; t < T; t++) {
          out.set(
            array.subarray((b * T + t) * width, (b * T + t + 1) * width),
            b * strides.batch + t * strides.time,
          )
        }
      }
      return out
    }
    const upstream = upstreamOf(dense)
    const expected = differentiate(referenceKernels, dense, upstream)
    const view: LstmForward = {
      ...dense,
      ...{ x: wide(dense.x, I, 7), xBatchStride: I + 3, xTimeStride: B * (I + 3) },
      ...{ y: wide(dense.y, R, 8), yBatchStride: R + 3, yTimeStride: B * (R + 3) },
    }
    const wideUpstream = { ...upstream, dy: wide(upstream.dy, R, 0) }
    const gradients = zeroGradients(view)
    gradients.dx.fill(9)
    differentiate(referenceKernels, view, wideUpstream, gradients)
    expect(view.y).toEqual(wide(dense.y, R, 8))
    // dx is added to the 9 that stood there; one rounding apart from adding to 0.
    const expectedDx = wide(expected.dx.map((value) => value + 9) as FloatArray, I, 9)
    expect(gradients.dx).toEqual(expectedDx)
    expect(gradients.dparameters).toEqual(expected.dparameters)
  })

  it('adds to the gradients that are there and computes none that is absent', () => {
    const call = lstmCall(options)
    const upstream = upstreamOf(call)
    const once = differentiate(referenceKernels, call, upstream)
    const twice = differentiate(
      referenceKernels,
      call,
      upstream,
      differentiate(referenceKernels, call, upstream),
    )
    for (const [i, [name, gradient]] of named(twice).entries()) {
      expect(gradient, name).toEqual(named(once)[i][1].map((value) => 2 * value))
    }
    const partial = {
      dc0: zeroGradients(call).dc0,
      dparameters: { biasHh: zeroGradients(call).dparameters.biasHh },
    }
    differentiate(referenceKernels, call, upstream, partial as ReturnType<typeof zeroGradients>)
    expect(partial.dc0).toEqual(once.dc0)
    expect(partial.dparameters.biasHh).toEqual(once.dparameters.biasHh)
  })

  it('adds the gradients of both directions of one call to one dx', () => {
    const forward = lstmCall({ float })
    const backward = lstmCall({ float, reverse: true, seed: 5 })
    backward.x = forward.x
    const apart = zeroGradients(forward).dx
    for (const call of [forward, backward]) {
      differentiate(referenceKernels, call, upstreamOf(call), { ...zeroGradients(call), dx: apart })
    }
    const shared = zeroGradients(forward).dx
    const calls = [forward, backward].map((call) => ({
      ...call,
      cache: new float(referenceKernels.lstmCacheLength(call)),
    }))
    referenceKernels.lstmForward(calls)
    referenceKernels.lstmBackward(
      calls.map((call) => ({ ...call, ...upstreamOf(call), ...zeroGradients(call), dx: shared })),
    )
    expect(shared).toEqual(apart)
  })

  it('keeps the previous state where zoneout is 1 and is an LSTM without zoneout where it is 0', () => {
    const plain = run(lstmCall({ float }))
    const none = run(lstmCall({ float, zoneout: 0 }))
    const all = run(lstmCall({ float, zoneout: 1 }))
    expect([none.y, none.hn, none.cn]).toEqual([plain.y, plain.hn, plain.cn])
    expect([all.hn, all.cn]).toEqual([all.h0, all.c0])
  })
})
