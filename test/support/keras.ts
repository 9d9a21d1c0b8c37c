/** Files of Keras and TensorFlow.js with what these gave for them, and files made from a configuration and tensors. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { encodeHdf5, type Hdf5Group } from '../../lib/formats/hdf5/writer.ts'
import { decodeSafetensors } from '../../lib/formats/safetensors/index.ts'
import { encodeZip, openZip } from '../../lib/formats/zip.ts'
import { type Layer, noGrad, type Tensor, tensor, useBackend } from '../../lib/index.ts'

/** What both sides may differ by: float32 sums of the same terms in another order, of numbers below 10. */
const tolerance = 1e-5

export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))
}

export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(fixturePath(name)))
}

export function run(model: Layer, x: Tensor): Tensor {
  const result = noGrad(() => model.forward(x))
  return 'output' in result ? result.output : result
}

/** The input beside a model, for one that begins with symbols or with features, and the output. */
export function recorded(name: string, model: Layer): { x: Tensor; y: Tensor } {
  const { tensors } = decodeSafetensors(
    fixture(name.replace(/\.(keras|tfjs|weights\.h5|h5)$/, '.io.safetensors')),
  )
  const [x, y] = ['x', 'y'].map((each) => tensors.get(each)!)
  const array = JSON.stringify(model.config()).includes('"Embedding"') ? Int32Array : Float32Array
  const numbers = Array.from(x.data as ArrayLike<number | bigint>, Number)
  return {
    x: tensor(array.from(numbers), { shape: x.shape }),
    y: tensor(y.data as Float32Array, { shape: y.shape }),
  }
}

/** Runs a model on the input beside its file, on both back ends. */
export function expectRecorded(name: string, model: Layer): void {
  const { x, y } = recorded(name, model)
  for (const backend of ['reference', 'native'] as const) {
    useBackend(backend)
    expectClose(run(model, x), y)
  }
}

export function expectClose(got: Tensor, expected: Tensor): void {
  expect(got.shape).toEqual(expected.shape)
  const distances = Array.from(got.data, (value, i) => Math.abs(value - expected.data[i]))
  expect(Math.max(...distances)).toBeLessThan(tolerance)
}

interface KerasJson {
  class_name: string
  config: { name?: string; layers: KerasJson[]; [option: string]: unknown }
  [field: string]: unknown
}

/** The file with its configuration changed. */
export function withConfig(bytes: Uint8Array, change: (config: KerasJson) => unknown): Uint8Array {
  const config = JSON.parse(new TextDecoder().decode(openZip(bytes).read('config.json')))
  const text = JSON.stringify(change(config) ?? config)
  return withEntry(bytes, 'config.json', new TextEncoder().encode(text))
}

/** The file with an entry replaced, or left out. */
export function withEntry(bytes: Uint8Array, name: string, content: Uint8Array | undefined): Uint8Array {
  const archive = openZip(bytes)
  const entries = new Map(archive.names.map((each) => [each, archive.read(each)]))
  if (content) entries.set(name, content)
  else entries.delete(name)
  return encodeZip(entries)
}

/** A `.keras` file of Keras 3 with these layers and tensors. */
export async function kerasFile(
  layers: object[],
  groups: readonly Hdf5Group[],
  version = '3.15.1',
): Promise<Uint8Array> {
  const json = (value: object) => new TextEncoder().encode(JSON.stringify(value))
  return encodeZip([
    ['metadata.json', json({ keras_version: version })],
    ['config.json', json({ class_name: 'Sequential', config: { name: 'model', layers } })],
    ['model.weights.h5', await encodeHdf5(groups)],
  ])
}

/** Numbers that tell where each of them went. */
export function numbered(path: string, ...shapes: number[][]): Hdf5Group {
  const datasets = shapes.map((shape, i) => {
    const size = shape.reduce((product, n) => product * n, 1)
    return { name: String(i), shape, data: Float32Array.from({ length: size }, (_, j) => 1000 * i + j) }
  })
  return { path, datasets }
}
