/** Safetensors to the disk, a tensor at a time. */
import { refuseUnknownOptions } from '../../errors.ts'
import { writeFileAtomically } from '../atomic.ts'
import { layOut, type Metadata, type Planned, requireFit, type TensorToStore } from './encode.ts'
import { encodeElements, type StoredArray, type StoredType, typeOf } from './types.ts'

/** A tensor whose elements are asked for when it is their turn to be written. */
export interface LazyTensor {
  shape: readonly number[]
  dataType: StoredType
  data: () => StoredArray | Promise<StoredArray>
}

/**
 * Writes a file, whole or not at all, the bytes that `encodeSafetensors` makes. What is not in memory before is there
 * for one tensor at a time: those given as functions, and conversions to another type. Arrays must not change meanwhile.
 *
 * @throws {FileFormatError} with the system's code if the file cannot be written
 * @throws {RangeError | TypeError} as `encodeSafetensors` does; nothing is left behind then
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: TensorToStore | LazyTensor]>,
  options: { metadata?: Metadata } = {},
): Promise<void> {
  refuseUnknownOptions('writeSafetensors', options, ['metadata'])
  const planned = [...tensors].map(([name, tensor]) => [name, plan(name, tensor)] as const)
  const layout = layOut(planned, options.metadata ?? {})
  await writeFileAtomically(path, chunks(layout.head, layout.tensors))
}

type Source = Planned & { data: LazyTensor['data'] }

function plan(name: string, { shape, data, dataType }: TensorToStore | LazyTensor): Source {
  if (typeof data === 'function') {
    if (dataType === undefined) {
      throw new TypeError(
        `writeSafetensors: expected ${JSON.stringify(name)}, whose data come later, to have a dataType`,
      )
    }
    return { shape, dataType, data }
  }
  const source = { shape, dataType: dataType ?? typeOf(data), data: () => data }
  requireFit(name, source, data)
  return source
}

async function* chunks(
  head: Uint8Array,
  tensors: readonly (readonly [name: string, tensor: Source])[],
): AsyncIterable<Uint8Array> {
  yield head
  for (const [name, source] of tensors) {
    const data = await source.data()
    requireFit(name, source, data)
    if (data.length > 0) yield encodeElements(source.dataType, data)
  }
}
