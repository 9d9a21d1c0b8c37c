/** The networks that are served, what their steps cost, and files of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeOnnx } from '../../lib/formats/index.ts'
import { LSTM, save } from '../../lib/index.ts'
import { flops } from '../statistics.ts'

/** An LSTM without anything before or behind it. */
export interface Network {
  inputSize: number
  hiddenSize: number
  numLayers: number
}

/** What the ratios are asked for. */
export const network: Network = { inputSize: 64, hiddenSize: 256, numLayers: 2 }

/** One whose computing, not its HTTP, is what a server runs out of: for overload. */
export const largeNetwork: Network = { inputSize: 64, hiddenSize: 512, numLayers: 2 }

/** Steps of a sequence. */
export const sequenceLength = 50

export function createModel(of: Network): LSTM {
  return new LSTM({ ...of, seed: 1997 })
}

/** Floating-point operations of the products of one step. */
export function flopsPerStep({ inputSize: I, hiddenSize: H, numLayers: layers }: Network): number {
  return flops({ name: '', mode: 'inference', B: 1, T: 1, I, H, layers, directions: 1, contenders: [] })
}

/** The same weights for us and for ONNX Runtime, whose npm package does not know inputs that may be left out. */
export interface ModelFiles {
  safetensors: string
  onnx: string
  remove(): void
}

export async function writeModel(of: Network): Promise<ModelFiles> {
  const folder = mkdtempSync(join(tmpdir(), 'lstm-bench-serve-'))
  const model = createModel(of)
  const [safetensors, onnx] = [join(folder, 'model.safetensors'), join(folder, 'model.onnx')]
  await save(model, safetensors)
  writeFileSync(onnx, encodeOnnx(model, { optionalInputs: false }))
  return { safetensors, onnx, remove: () => rmSync(folder, { recursive: true }) }
}
