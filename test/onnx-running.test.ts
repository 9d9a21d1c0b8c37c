/** CumSum and TopK, as the ONNX specification has them. */
import { expect, it } from 'vitest'
import { decodeOnnx } from '../lib/formats/onnx/index.ts'
import { tensor } from '../lib/index.ts'
import { integers, node, onnxFile, value } from './support/onnx.ts'

it.each([
  [
    0,
    {},
    [
      [1, 2, 3],
      [5, 7, 9],
    ],
  ],
  [
    1,
    {},
    [
      [1, 3, 6],
      [4, 9, 15],
    ],
  ],
  [
    -1,
    { exclusive: 1 },
    [
      [0, 1, 3],
      [0, 4, 9],
    ],
  ],
  [
    1,
    { reverse: 1 },
    [
      [6, 5, 3],
      [15, 11, 6],
    ],
  ],
  [
    1,
    { exclusive: 1, reverse: 1 },
    [
      [5, 3, 0],
      [11, 6, 0],
    ],
  ],
])('CumSum along axis %i with %o', (axis, attributes, expected) => {
  const bytes = onnxFile({
    nodes: [node('CumSum', ['x', 'axis'], ['y'], attributes)],
    inputs: [value('x', [2, 3])],
    initializers: [integers('axis', [axis], [])],
  })
  const y = decodeOnnx(bytes)
    .run({
      x: tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    })
    .get('y')!
  expect(y.toArray()).toEqual(expected)
})

it.each([
  [
    2,
    1,
    {},
    [
      [5, 5],
      [9, 4],
    ],
    [
      [1, 3],
      [0, 2],
    ],
  ],
  [1, 1, { largest: 0 }, [[1], [2]], [[0], [1]]],
  [1, 0, { axis: 0 }, [[9, 5, 4, 5]], [[1, 0, 1, 0]]],
])('TopK of %i with axis %i and %o, the first of equals first', (k, axis, attributes, values, places) => {
  const bytes = onnxFile({
    nodes: [node('TopK', ['x', 'k'], ['y', 'i'], { axis, ...attributes })],
    inputs: [value('x', [2, 4])],
    outputs: [value('y'), value('i', undefined, 'int64')],
    initializers: [integers('k', [k])],
  })
  const outputs = decodeOnnx(bytes).run({
    x: tensor([
      [1, 5, 3, 5],
      [9, 2, 4, 3],
    ]),
  })
  expect(outputs.get('y')!.toArray()).toEqual(values)
  expect(outputs.get('i')!.toArray()).toEqual(places)
})

it('TopK of more than there are is refused', () => {
  const bytes = onnxFile({
    nodes: [node('TopK', ['x', 'k'], ['y', 'i'])],
    inputs: [value('x', [2])],
    initializers: [integers('k', [3])],
  })
  expect(() => decodeOnnx(bytes).run({ x: tensor([1, 2]) })).toThrow('expected K from 0 to 2, got 3')
})
