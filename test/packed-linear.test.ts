/** Linear layers keep their packed weights between calls: nobody may notice but by the clock. */
import { describe, expect, it, vi } from 'vitest'
import { kernelsFor, useBackend } from '../lib/kernels/index.ts'
import { parametersOf } from '../lib/layers/layer.ts'
import { Linear } from '../lib/layers/linear.ts'
import { linear } from '../lib/operations/linear.ts'
import { square } from '../lib/operations/pointwise.ts'
import { sum } from '../lib/operations/reductions.ts'
import { noGrad } from '../lib/tape.ts'
import { type Tensor, tensor } from '../lib/tensor.ts'
import { sgd } from '../lib/training/optimizers.ts'

useBackend('native')
const kernels = kernelsFor(new Float32Array(0))
const x = tensor(
  Float32Array.from({ length: 3 * 37 }, (_, i) => Math.sin(i)),
  { shape: [3, 37] },
)
const make = () => new Linear({ inputSize: 37, outputSize: 21, seed: 3 })
const run = (layer: Linear) => noGrad(() => layer.forward(x)).toArray()

/** What a layer with the same numbers says at its first call. */
function anew({ weight, bias }: Linear): unknown {
  const copy = (each: Tensor) => tensor((each.array as Float32Array).slice(), { shape: each.shape })
  return noGrad(() => linear(x, copy(weight), copy(bias!))).toArray()
}

describe('the packed weights of a Linear', () => {
  it('are made at the second call that finds them unchanged, and give the same bits', () => {
    const pack = vi.spyOn(kernels, 'linearPack')
    const layer = make()
    const results = Array.from({ length: 4 }, () => run(layer))
    expect(new Set(results.map(String)).size).toBe(1)
    expect(pack).toHaveBeenCalledTimes(1)
    vi.restoreAllMocks()
  })

  it('follow an optimizer', () => {
    const layer = make()
    const optimizer = sgd({ learningRate: 0.1 }).bind(parametersOf(layer))
    for (let step = 0; step < 3; step++) {
      for (let call = 0; call < 3; call++) expect(run(layer)).toEqual(anew(layer))
      optimizer.zeroGrad()
      sum(square(layer.forward(x))).backward()
      optimizer.step()
    }
  })

  it('follow what is written through .data, between calls and later', () => {
    const layer = make()
    for (let call = 0; call < 3; call++) run(layer)
    const { data } = layer.weight
    for (let call = 0; call < 3; call++) {
      data[call] += 1
      expect(run(layer)).toEqual(anew(layer))
    }
  })

  it('are those of the target in use', () => {
    const layer = make()
    for (let call = 0; call < 3; call++) run(layer)
    useBackend('scalar')
    const scalar = [run(layer), run(layer)]
    expect(scalar).toEqual([anew(layer), anew(layer)])
    useBackend('native')
    expect(run(layer)).toEqual(anew(layer))
  })
})
