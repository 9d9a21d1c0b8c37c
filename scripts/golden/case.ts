/**
 * Golden cases: files of tensors that PyTorch computed in float64 (written by test/fixtures/golden/make_golden.py), and
 * how far this package is from them. Used by scripts/check-golden.ts and test/golden.test.ts.
 */
import { readSafetensors, type StoredTensor } from '../../lib/formats/safetensors/index.ts'
import type { FloatDataType } from '../../lib/layers/initialisation.ts'
import { type DataType, Tensor } from '../../lib/tensor.ts'

export interface Golden {
  /** `lstm`, `trajectory` or `ctc` */
  kind: string
  config: Record<string, unknown>
  /** The tensor of that name. @throws {Error} if the file has none */
  get(name: string): StoredTensor
  /** The names that begin with `prefix`, without it. */
  namesUnder(prefix: string): string[]
}

/** The largest error of a group of tensors and where it is. */
export interface Worst {
  error: number
  tensor: string
}

/** What a case compares: two groups of tensors, each with its own bound. */
export interface Outcome {
  outputs: Worst
  gradients: Worst
}

export interface Runner {
  /** What the two groups are called in the report. */
  groups: [outputs: string, gradients: string]
  bounds: Record<FloatDataType, { outputs: number; gradients: number }>
  run(golden: Golden, dataType: FloatDataType): Outcome
}

export async function readGolden(path: string): Promise<Golden> {
  const { metadata, tensors } = await readSafetensors(path)
  const config = JSON.parse(metadata.get('config') ?? 'null')
  if (typeof config?.kind !== 'string')
    throw new Error(`${path}: expected a config with a kind in the metadata`)
  return {
    kind: config.kind,
    config,
    get(name) {
      const found = tensors.get(name)
      if (!found) throw new Error(`${path}: there is no tensor ${JSON.stringify(name)}`)
      return found
    },
    namesUnder: (prefix) =>
      [...tensors.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])),
  }
}

/** A tensor of a file, its numbers rounded to `dataType`. */
export function tensorOf({ shape, data }: StoredTensor, dataType: DataType, requiresGrad = false): Tensor {
  const types = { float32: Float32Array, float64: Float64Array, int32: Int32Array }
  return new Tensor(shape, new types[dataType](Array.from(data, Number)), requiresGrad)
}

/** PyTorch's time-major [T, B, ...] as batch-first [B, T, ...]. */
export function batchFirst({ shape, data, ...rest }: StoredTensor): StoredTensor {
  const [T, B, ...inner] = shape
  const width = inner.reduce((product, n) => product * n, 1)
  const swapped = data.slice()
  for (let t = 0; t < T; t++) {
    for (let b = 0; b < B; b++) {
      const row = data.subarray((t * B + b) * width, (t * B + b + 1) * width)
      swapped.set(row as Float64Array & BigInt64Array, (b * T + t) * width)
    }
  }
  return { shape: [B, T, ...inner], data: swapped, ...rest }
}

/** The part of a tensor at index `n` of its first axis. */
export function at({ shape, data, ...rest }: StoredTensor, n: number): StoredTensor {
  const size = data.length / shape[0]
  return { shape: shape.slice(1), data: data.subarray(n * size, (n + 1) * size), ...rest }
}

/** Collects errors: the largest |value - true| of a tensor over its largest |true| (over 1 if that is 0). */
export class Comparison {
  readonly worst: Worst = { error: 0, tensor: '' }

  add(name: string, values: ArrayLike<number> | undefined, { shape, data }: StoredTensor): void {
    if (values?.length !== data.length) {
      throw new Error(
        `${name}: expected ${data.length} numbers, shape [${shape}], got ${values?.length ?? 'none'}`,
      )
    }
    let error = 0
    let largest = 0
    for (let i = 0; i < data.length; i++) {
      // Math.max hands on NaN, which no bound lets pass.
      error = Math.max(error, Math.abs(values[i] - Number(data[i])))
      largest = Math.max(largest, Math.abs(Number(data[i])))
    }
    const relative = error / (largest || 1)
    const isWorse = relative > this.worst.error || Number.isNaN(relative)
    if (isWorse) Object.assign(this.worst, { error: relative, tensor: name })
  }
}
