/** `npm run check:interop`: which models it finds, and that nothing wrong passes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSafetensors, type TensorToStore } from 'lstm-native/formats'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { useBackend } from '../lib/index.ts'
import { casesIn, farthest, worst } from '../scripts/interop/case.ts'
import { check } from '../scripts/interop/check.ts'
import { integers, node, onnxFile, value, weights } from './support/onnx.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-interop-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => useBackend('native'))

function write(name: string, content: string | Uint8Array = ''): string {
  const path = join(folder, name)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, content)
  return path
}

/** A model file and what is recorded beside it, checked. */
async function verdictOn(model: Uint8Array, tensors: Record<string, TensorToStore>) {
  const path = write('model.onnx', model)
  const io = write('model.io.safetensors', encodeSafetensors(new Map(Object.entries(tensors))))
  return check({ kind: 'onnx', path, io })
}

const f32 = (shape: readonly number[], ...data: number[]) => ({ shape, data: Float32Array.from(data) })

/** y = 2x as a graph that is a stack of layers. */
const doubling = onnxFile({
  nodes: [node('MatMul', ['x', 'W'], ['y'])],
  inputs: [value('x', ['B', 'T', 1])],
  outputs: [value('y', ['B', 'T', 1])],
  initializers: [weights('W', [1, 1], [2])],
})

describe('the models of a folder', () => {
  it('are found by their endings, in folders too, but for weights alone', () => {
    for (const name of [
      'a.onnx',
      'b.keras',
      'c.h5',
      'c.weights.h5',
      'd.tfjs/model.json',
      'in/e.onnx',
      'f.pt',
    ])
      write(`found/${name}`)
    for (const name of ['a', 'd', 'in/e']) write(`found/${name}.io.safetensors`)
    const found = casesIn(join(folder, 'found')).map(({ kind, path, io }) => {
      return [kind, path.slice(folder.length + 7), io !== undefined]
    })
    expect(found).toEqual([
      ['onnx', 'a.onnx', true],
      ['keras', 'b.keras', false],
      ['keras', 'c.h5', false],
      ['tfjs', 'd.tfjs', true],
      ['onnx', 'in/e.onnx', true],
    ])
  })
})

describe('a model', () => {
  it('passes on the reference, natively and compiled', async () => {
    const { passed, paths } = await verdictOn(doubling, { x: f32([1, 2, 1], 1, 2), y: f32([1, 2, 1], 2, 4) })
    expect(passed).toBe(true)
    expect([...paths.keys()]).toEqual(['reference', 'native', 'compiled'])
  })

  it.each([
    ['a number is off by more than 1e-5', [2, 4.00002]],
    ['a recorded number is NaN', [2, Number.NaN]],
    ['a recorded number is infinite', [2, Number.POSITIVE_INFINITY]],
  ])('fails if %s', async (_, y) => {
    const { passed } = await verdictOn(doubling, { x: f32([1, 2, 1], 1, 2), y: f32([1, 2, 1], ...y) })
    expect(passed).toBe(false)
  })

  it('fails if an output has another shape, is unknown or not recorded at all', async () => {
    const x = f32([1, 2, 1], 1, 2)
    await expect(verdictOn(doubling, { x, y: f32([2, 1, 1], 2, 4) })).rejects.toThrow(
      'reference: y: expected shape [2,1,1], got [1,2,1]',
    )
    await expect(verdictOn(doubling, { x, z: x })).rejects.toThrow('the model has no input or output "z"')
    await expect(verdictOn(doubling, { x })).rejects.toThrow('expected recorded outputs')
    await expect(verdictOn(doubling, { y: x })).rejects.toThrow('expected "x" among the recorded tensors')
  })

  it('takes integers of 64 bits, booleans, doubles and scalars that numpy saved as [1]', async () => {
    const model = onnxFile({
      nodes: [
        node('Gather', ['table', 'i'], ['row']),
        node('Cast', ['on'], ['factor'], { to: 1 }),
        node('Mul', ['row', 'factor'], ['y']),
        node('Cast', ['d'], ['e'], { to: 11 }),
        node('Add', ['n', 'one'], ['m']),
      ],
      inputs: [
        value('i', ['B'], 'int64'),
        value('on', ['B'], 'bool'),
        value('d', [2], 'float64'),
        value('n', [], 'int64'),
      ],
      outputs: [value('y', ['B']), value('e', [2], 'float64'), value('m', [], 'int64')],
      initializers: [weights('table', [3], [10, 20, 30]), integers('one', [1], [])],
    })
    const { passed } = await verdictOn(model, {
      i: { shape: [2], data: BigInt64Array.of(2n, 0n) },
      on: { shape: [2], data: Uint8Array.of(1, 0), dataType: 'BOOL' },
      d: { shape: [2], data: Float64Array.of(0.1, 0.2) },
      n: { shape: [1], data: BigInt64Array.of(41n) },
      y: f32([2], 30, 0),
      e: { shape: [2], data: Float64Array.of(0.1, 0.2) },
      m: { shape: [1], data: BigInt64Array.of(42n) },
    })
    expect(passed).toBe(true)
  })

  it('fails, telling why, if it cannot be loaded', async () => {
    const unknown = onnxFile({ nodes: [node('Erf2', ['x'], ['y'])], inputs: [value('x', [1])] })
    await expect(verdictOn(unknown, { x: f32([1], 1), y: f32([1], 1) })).rejects.toThrow(
      /^reference: .*Erf2.*not supported/,
    )
  })
})

describe('differences', () => {
  it('are the largest distance, NaN above all', () => {
    expect(farthest([1, 2, 5], [1, 2.5, 5])).toBe(0.5)
    expect(farthest([Number.POSITIVE_INFINITY], [Number.POSITIVE_INFINITY])).toBe(0)
    expect(farthest([Number.NaN, 1], [Number.NaN, 1])).toBeNaN()
    expect(farthest([1], [1, 2])).toBeNaN()
    const [small, large, none] = [0.1, 0.2, Number.NaN].map((error) => ({ output: 'y', error }))
    expect(worst([small, large, small])).toBe(large)
    expect(worst([small, none, large])).toBe(none)
  })
})
