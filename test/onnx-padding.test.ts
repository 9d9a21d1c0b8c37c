/** Pad and OneHot, as the ONNX specification has them. */
import { expect, it } from 'vitest'
import { decodeOnnx } from '../lib/formats/onnx/index.ts'
import { tensor } from '../lib/index.ts'
import { integers, node, onnxFile, value } from './support/onnx.ts'

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
])

function padded(mode: string, pads: number[], opset = 19) {
  const bytes = onnxFile({
    nodes: [node('Pad', ['x', 'pads'], ['y'], { mode })],
    inputs: [value('x', [2, 3])],
    initializers: [integers('pads', pads)],
    opset,
  })
  const y = decodeOnnx(bytes).run({ x }).get('y')!
  return { shape: y.shape, rows: y.toArray() }
}

it.each([
  [
    'constant',
    [0, 1, 1, 2],
    [
      [0, 1, 2, 3, 0, 0],
      [0, 4, 5, 6, 0, 0],
      [0, 0, 0, 0, 0, 0],
    ],
  ],
  [
    'edge',
    [0, 1, 1, 2],
    [
      [1, 1, 2, 3, 3, 3],
      [4, 4, 5, 6, 6, 6],
      [4, 4, 5, 6, 6, 6],
    ],
  ],
  [
    'reflect',
    [1, 2, 0, 2],
    [
      [6, 5, 4, 5, 6, 5, 4],
      [3, 2, 1, 2, 3, 2, 1],
      [6, 5, 4, 5, 6, 5, 4],
    ],
  ],
  [
    'wrap',
    [0, 1, 1, 4],
    [
      [3, 1, 2, 3, 1, 2, 3, 1],
      [6, 4, 5, 6, 4, 5, 6, 4],
      [3, 1, 2, 3, 1, 2, 3, 1],
    ],
  ],
  ['constant', [-1, 0, 0, -2], [[4]]],
  [
    'reflect',
    [0, -1, 0, 1],
    [
      [2, 3, 2],
      [5, 6, 5],
    ],
  ],
])('Pad with mode %s by %j', (mode, pads, expected) => {
  expect(padded(mode, pads).rows).toEqual(expected)
})

it.each([
  ['reflect', [0, 3, 0, 0], /mode reflect cannot pad axis 1 of \[2,3\] by 3 and 0/],
  ['constant', [-3, 0, 0, 0], /cannot pad axis 0/],
  ['mirror', [0, 0, 0, 0], /mode mirror is not supported; supported: constant, edge, reflect, wrap/],
])('Pad with mode %s by %j is refused', (mode, pads, message) => {
  expect(() => padded(mode, pads)).toThrow(message)
})

it.each([
  [
    -1,
    [2, 3],
    [
      [0, 0, 9],
      [0, 9, 0],
    ],
  ],
  [
    0,
    [3, 2],
    [
      [0, 0],
      [0, 9],
      [9, 0],
    ],
  ],
])('OneHot along axis %i, from the end where an index is negative', (axis, shape, expected) => {
  const bytes = onnxFile({
    nodes: [node('OneHot', ['x', 'depth', 'values'], ['y'], { axis })],
    inputs: [value('x', [2], 'int64')],
    initializers: [integers('depth', [3], []), integers('values', [0, 9])],
  })
  const run = (indices: number[]) =>
    decodeOnnx(bytes)
      .run({ x: tensor(Int32Array.from(indices)) })
      .get('y')!
  expect(run([2, -2]).shape).toEqual(shape)
  expect(run([2, -2]).toArray()).toEqual(expected)
  expect([...run([3, -4]).data]).toEqual([0, 0, 0, 0, 0, 0])
})
