/** What a layers model of TensorFlow.js holds: model.json tells all of it. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sizeOf } from '../../tensor.ts'
import { readWhole } from '../files.ts'
import { invalid, parseJson, record, type Source } from '../keras/layer-config.ts'
import { loadTfjs } from '../tfjs/index.ts'
import type { Inspection, TensorRow } from './inspection.ts'
import { modelOf } from './keras.ts'

/** @param path the folder of the model, or its model.json */
export async function inspectTfjs(path: string): Promise<Inspection> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory()
  const place = isFolder ? join(path, 'model.json') : path
  const source: Source = { dialect: 'tfjs', path: place }
  const json = record(source, parseJson(source, await readWhole(place), 'the file'), 'the file')
  const tensors = tensorsOf(source, json.weightsManifest)
  const metadata = Object.entries(json).filter(([, value]) => typeof value === 'string')
  return {
    format: 'TensorFlow.js layers model',
    producer: typeof json.generatedBy === 'string' ? json.generatedBy : undefined,
    ...(await modelOf(() => loadTfjs(path))),
    parameters: tensors.reduce((sum, { parameters }) => sum + parameters, 0),
    tensors,
    metadata: Object.fromEntries(metadata),
  }
}

const bytesOf: Readonly<Record<string, number>> = {
  bool: 1,
  float16: 2,
  float32: 4,
  int32: 4,
  uint16: 2,
  uint8: 1,
}

function tensorsOf(source: Source, manifest: unknown): TensorRow[] {
  const list = (value: unknown, what: string): readonly unknown[] =>
    Array.isArray(value) ? value : invalid(source, `expected ${what} in a list`)
  return list(manifest, 'weightsManifest').flatMap((group) =>
    list(record(source, group, 'a group of weights').weights, 'weights').map((weight): TensorRow => {
      const { name, dtype, shape, quantization } = record(source, weight, 'a weight')
      const sizes = list(shape, 'the shape of a weight')
      if (typeof name !== 'string' || !sizes.every((n) => Number.isSafeInteger(n) && (n as number) >= 0))
        return invalid(source, 'expected the weights to have names and shapes')
      // Quantised weights lie in the file in a narrower type.
      const stored = quantization ? record(source, quantization, 'quantization').dtype : dtype
      const parameters = sizeOf(sizes as number[])
      const bytes = parameters * (bytesOf[String(stored)] ?? 0)
      return { name, dataType: String(stored), shape: sizes as number[], parameters, bytes }
    }),
  )
}
