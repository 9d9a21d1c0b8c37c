/** Models as ONNX files: the graph gives what forward gives, and comes back as the model it was. */
import { describe, expect, it } from 'vitest'
import { decodeOnnx, encodeOnnx } from '../lib/formats/onnx/index.ts'
import { Sequential, type Tensor, tensor } from '../lib/index.ts'
import { tensorsOf } from '../lib/layers/layer.ts'
import { expectedOutputs, makeInput, makeModel, makeStates } from '../scripts/export/case.ts'
import { exportCases } from '../scripts/export/cases.ts'

/** float32 sums of the same terms in another order. */
const tolerance = 1e-5

describe.each(exportCases)('$name', (each) => {
  const model = makeModel(each)
  const graph = decodeOnnx(encodeOnnx(model))

  function expectSame(x: Tensor, options: { lengths?: Int32Array; states?: Map<string, Tensor> }): void {
    const feeds = new Map([['x', x], ...(options.states ?? [])])
    if (options.lengths) feeds.set('lengths', tensor(options.lengths))
    const outputs = graph.run(feeds)
    const expected = expectedOutputs(model, x, options)
    expect([...outputs.keys()].sort()).toEqual([...expected.keys()].sort())
    for (const [name, { shape, data }] of expected) {
      expect(outputs.get(name)!.shape, name).toEqual(shape)
      const got = outputs.get(name)!.data
      const far = data.findIndex((n, i) => !(Math.abs(n - got[i]) <= tolerance))
      expect(far < 0 ? 'none' : `${name}[${far}]: ${got[far]}, expected ${data[far]}`).toBe('none')
    }
  }

  it.each([
    [1, 12],
    [3, 12],
    [2, 17],
  ])('gives what forward gives for a batch of %i and %i steps', (B, T) => {
    const x = makeInput(each, B, T)
    const lengths = Int32Array.from({ length: B }, (_, b) => T - 6 * b)
    const states = makeStates(graph.inputs, B)
    const isWithLengths = graph.inputs.some(({ name }) => name === 'lengths')
    expect(isWithLengths && each.isWithoutLengths).toBeFalsy()
    expectSame(x, {})
    expectSame(x, { states })
    if (!isWithLengths) return
    expectSame(x, { lengths })
    expectSame(x, { lengths, states })
    expectSame(x, { lengths: new Int32Array(B).with(B - 1, T), states })
  })

  it('comes back with its options, weights and running statistics, bit for bit', () => {
    const back = graph.toModel()
    const whole = model instanceof Sequential ? model : new Sequential([model])
    expect(back.config()).toEqual(whole.config())
    const expected = tensorsOf(whole)
    const found = tensorsOf(back)
    expect([...found.keys()]).toEqual([...expected.keys()])
    for (const [name, { array }] of found) expect(array, name).toEqual(expected.get(name)!.array)
  })
})
