/** Reverse-mode differentiation itself: which gradients arrive where, and when memory ends. */
import { describe, expect, it } from 'vitest'
import { lstm } from '../lib/operations/lstm.ts'
import { add, multiply, square } from '../lib/operations/pointwise.ts'
import { sum } from '../lib/operations/reductions.ts'
import { reshape } from '../lib/operations/shape.ts'
import { noGrad, record, recycle } from '../lib/tape.ts'
import { Parameter, type Tensor, tensor } from '../lib/tensor.ts'

const leaf = (...numbers: number[]) => tensor(Float64Array.from(numbers), { requiresGrad: true })

describe('backward', () => {
  it('adds up what comes back from every use of a tensor', () => {
    const x = leaf(2, 3)
    const y = square(x)
    sum(add(multiply(y, x), multiply(y, 5))).backward()
    // d(x³ + 5x²) = 3x² + 10x
    expect(x.grad).toEqual(Float64Array.of(12 + 20, 27 + 30))
  })

  it('reaches a shared part once, after all that uses it', () => {
    const x = leaf(1.5)
    let runs = 0
    const [shared] = record('twice', [x], [{ shape: [1], array: Float64Array.of(3) }], ([dy], gradientOf) => {
      runs++
      gradientOf(x)![0] += 2 * dy![0]
    })
    sum(add(square(shared), shared)).backward()
    expect(runs).toBe(1)
    expect(x.grad).toEqual(Float64Array.of(2 * (2 * 3 + 1)))
  })

  it('gives an operation with several outputs the gradients of those the loss depends on', () => {
    const x = leaf(1)
    const seen: unknown[] = []
    const outputs = [2, 3].map((value) => ({ shape: [1], array: Float64Array.of(value) }))
    const [, second] = record(
      'pair',
      [x],
      outputs,
      (gradients) => void seen.push(...gradients.map((each) => each?.[0])),
    )
    sum(multiply(second, 7)).backward()
    expect(seen).toEqual([undefined, 7])
  })

  it('adds to the gradients of an earlier backward until zeroGrad', () => {
    const x = leaf(2)
    sum(square(x)).backward()
    sum(square(x)).backward()
    expect(x.grad).toEqual(Float64Array.of(8))
    x.zeroGrad()
    sum(square(x)).backward()
    expect(x.grad).toEqual(Float64Array.of(4))
  })

  it('leaves the gradient of a result in its grad where that was asked for', () => {
    const x = leaf(2, 3)
    const middle = multiply(x, 4).retainGrad()
    const unused = square(x).retainGrad()
    sum(square(middle)).backward()
    // d(middle²)/dmiddle = 2·middle
    expect([middle.grad, x.grad]).toEqual([Float64Array.of(16, 24), Float64Array.of(64, 96)])
    expect(unused.grad).toBeUndefined()
    expect(multiply(x, 2).grad).toBeUndefined()
    expect(() => noGrad(() => square(x)).retainGrad()).toThrow(/depends on nothing that requires a gradient/)
  })

  it('runs a graph once: a second backward throws and names the operation', () => {
    const x = leaf(2)
    const loss = sum(square(x))
    loss.backward()
    expect(() => loss.backward()).toThrow('sum was already run backward')
  })

  it('refuses a state that was not detached after the backward of the window before', () => {
    const weights = {
      weightIh: new Parameter([4, 1], new Float64Array(4).fill(0.5)),
      weightHh: new Parameter([4, 1], new Float64Array(4).fill(0.5)),
    }
    const x = tensor(Float64Array.of(1, 2), { shape: [1, 2, 1] })
    const first = lstm(x, { directions: [weights] })
    sum(first.output).backward()
    const next = lstm(x, { directions: [weights], h0: first.hn, c0: first.cn })
    expect(() => sum(next.output).backward()).toThrow('lstm was already run backward')
    const detached = lstm(x, { directions: [weights], h0: first.hn.detach(), c0: first.cn.detach() })
    expect(() => sum(detached.output).backward()).not.toThrow()
  })

  it('stops at detach', () => {
    const x = leaf(3)
    sum(multiply(x, square(x).detach())).backward()
    expect(x.grad).toEqual(Float64Array.of(9))
  })

  it('takes an upstream gradient where the tensor has more than one element, and needs it', () => {
    const x = leaf(1, 2)
    expect(() => square(x).backward()).toThrow('expected a loss of one element or a gradient, got shape [2]')
    expect(() => square(x).backward(Float64Array.of(1))).toThrow('expected a gradient of length 2, got 1')
    square(x).backward(Float64Array.of(10, 100))
    expect(x.grad).toEqual(Float64Array.of(20, 400))
  })

  it('leaves tensors alone that did not ask for a gradient', () => {
    const x = leaf(2)
    const constant = tensor(Float64Array.of(5))
    sum(multiply(x, constant)).backward()
    expect(constant.grad).toBeUndefined()
    expect(multiply(constant, constant).requiresGrad).toBe(false)
  })
})

describe('noGrad', () => {
  it('records nothing, and recording goes on after it, even after an error inside', () => {
    const x = leaf(2)
    const quiet = noGrad(() => square(x))
    expect(quiet.requiresGrad).toBe(false)
    expect(() => quiet.backward(Float64Array.of(1))).toThrow('was it made inside noGrad?')
    expect(() =>
      noGrad(() => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(square(x).requiresGrad).toBe(true)
    const afterInner = noGrad(() => {
      noGrad(() => square(x))
      return square(x)
    })
    expect(afterInner.requiresGrad).toBe(false)
  })
})

describe('recycle', () => {
  it('ends the life of tensors made inside: using one afterwards throws and says what to do', () => {
    const made = recycle(() => square(tensor([1, 2])))
    expect(() => made.data).toThrow('clone() or read .data inside the step')
    expect(() => square(made)).toThrow('recycled')
  })

  it('keeps a tensor whose data was read inside, also through a view', () => {
    const [read, viewed] = recycle(() => {
      const first = square(tensor([1, 2]))
      const second = square(tensor([3, 4]))
      expect(first.data[1]).toBe(4)
      expect(reshape(second, [2, 1]).data[1]).toBe(16)
      return [first, second]
    })
    // New tensors of the same size would be written over memory that had gone back to the pool.
    recycle(() => [square(tensor([9, 9])), square(tensor([9, 9])), square(tensor([9, 9]))])
    expect([...read.data]).toEqual([1, 4])
    expect([...viewed.data]).toEqual([9, 16])
  })

  it('keeps clones, and tensors made outside', () => {
    const outside = square(tensor([1, 2]))
    const kept = recycle(() => square(outside).clone())
    recycle(() => square(tensor([9, 9])))
    expect([...kept.data]).toEqual([1, 16])
    expect([...outside.data]).toEqual([1, 4])
  })

  it('uses the same memory again in the next step', () => {
    const x = tensor(new Float32Array(1000))
    const [first, second] = [0, 1].map(() => recycle(() => square(x).array.buffer))
    expect(first).toBe(second)
  })

  it('does not lend memory that an operation of the user shares with somebody', () => {
    const whole = new Float32Array(1024)
    const half = whole.subarray(512)
    recycle(() => record('own', [], [{ shape: [512], array: half }], () => {}))
    recycle(() => square(tensor(new Float32Array(1024).fill(3))))
    expect(whole.every((each) => each === 0)).toBe(true)
  })

  it('leaves gradients of leaves alone', () => {
    const x = leaf(1, 2, 3)
    recycle(() => sum(square(x)).backward())
    recycle(() => sum(square(leaf(7, 8, 9))))
    expect(x.grad).toEqual(Float64Array.of(2, 4, 6))
  })

  it('nests: an inner scope ends its own tensors only', () => {
    recycle(() => {
      const outer = square(tensor([1, 2]))
      const inner = recycle(() => square(outer))
      expect(() => inner.array).toThrow('recycled')
      expect([...outer.array]).toEqual([1, 4])
    })
  })

  it('ends tensors when the body throws, too', () => {
    let made: Tensor | undefined
    expect(() =>
      recycle(() => {
        made = square(tensor([1, 2]))
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(() => made!.array).toThrow('recycled')
  })
})
