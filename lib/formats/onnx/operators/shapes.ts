/** Operators that change a shape, or tell it: no element is moved but by Transpose. */

import { sizeOf } from '../../../tensor.ts'
import { integers, permuted, reshaped, scalar, type Value } from '../values.ts'
import { axesOf, axisOf, type Operator } from './operator.ts'

export const shapeOperators: Record<string, Operator> = {
  Identity: { inputs: [1, 1], run: (call) => call.input(0) },

  /** In inference nothing is dropped; a mask, if wanted, is all true. */
  Dropout: {
    inputs: [1, 3],
    attributes: { ratio: 'float', seed: 'int', is_test: 'int' },
    run(call) {
      const x = call.input(0)
      if (call.inputs[2]?.data[0])
        throw new TypeError('training_mode is not supported; export in evaluation mode')
      return [x, call.wanted[1] ? call.make('bool', x.shape, (data) => data.fill(1)) : undefined]
    },
  },

  Transpose: {
    inputs: [1, 1],
    attributes: { perm: 'ints' },
    run(call) {
      const x = call.input(0)
      return permuted(x, call.integers('perm') ?? x.shape.map((_, axis) => axis).reverse(), call.memory)
    },
  },

  Reshape: {
    inputs: [1, 2],
    attributes: { allowzero: 'int', shape: 'ints' },
    run(call) {
      const x = call.input(0)
      const asked = call.integersOf(1) ?? call.integers('shape')
      if (!asked) throw new TypeError('input 1, the shape, is missing')
      const zeroCopies = call.integer('allowzero', 0) === 0
      const shape = asked.map((n, axis) => (n === 0 && zeroCopies ? x.shape[axis] : n))
      const open = shape.indexOf(-1)
      if (open >= 0) {
        const known = sizeOf(shape.filter((_, axis) => axis !== open))
        shape[open] = known === 0 ? 0 : x.data.length / known
      }
      if (shape.every((n) => Number.isSafeInteger(n) && n >= 0)) return reshaped(x, shape)
      throw new RangeError(`[${x.shape}] cannot be reshaped to [${asked}]`)
    },
  },

  Squeeze: {
    inputs: [1, 2],
    attributes: { axes: 'ints' },
    run(call) {
      const x = call.input(0)
      const asked = call.integersOf(1) ?? call.integers('axes')
      const axes = asked
        ? axesOf(asked, x.shape.length)
        : x.shape.flatMap((n, axis) => (n === 1 ? [axis] : []))
      const long = axes.find((axis) => x.shape[axis] !== 1)
      if (long !== undefined) throw new RangeError(`axis ${long} of [${x.shape}] has not the length 1`)
      return reshaped(
        x,
        x.shape.filter((_, axis) => !axes.includes(axis)),
      )
    },
  },

  Unsqueeze: {
    inputs: [1, 2],
    attributes: { axes: 'ints' },
    run(call) {
      const x = call.input(0)
      const asked = call.integersOf(1) ?? call.integers('axes')
      if (!asked) throw new TypeError('input 1, the axes, is missing')
      const shape = [...x.shape]
      for (const axis of axesOf(asked, x.shape.length + asked.length)) shape.splice(axis, 0, 1)
      return reshaped(x, shape)
    },
  },

  Flatten: {
    inputs: [1, 1],
    attributes: { axis: 'int' },
    run(call) {
      const x = call.input(0)
      const given = call.integer('axis', 1)
      const axis = given === x.shape.length ? given : axisOf(given, x.shape.length)
      return reshaped(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))])
    },
  },

  Shape: {
    inputs: [1, 1],
    attributes: { start: 'int', end: 'int' },
    run(call) {
      const { shape } = call.input(0)
      return integers(shape.slice(call.integer('start', 0), call.integer('end', shape.length)))
    },
  },

  Size: { inputs: [1, 1], run: (call) => scalar('int64', call.input(0).data.length) },

  Constant: {
    inputs: [0, 0],
    attributes: {
      value: 'tensor',
      value_float: 'float',
      value_floats: 'floats',
      value_int: 'int',
      value_ints: 'ints',
    },
    run(call): Value {
      const value = call.tensor('value')
      if (value) return value
      const ints = call.integers('value_ints')
      if (ints) return integers(ints)
      const floats = call.numbers('value_floats')
      if (floats) return { type: 'float32', shape: [floats.length], data: Float32Array.from(floats) }
      const int = call.integer('value_int', Number.NaN)
      if (!Number.isNaN(int)) return scalar('int64', int)
      return scalar('float32', call.number('value_float', 0))
    },
  },
}
