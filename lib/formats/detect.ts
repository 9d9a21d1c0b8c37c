/** Which format a model has: of a file by what it begins with, of one to be written by its name. */
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { FileFormatError } from '../errors.ts'
import { readStart } from './files.ts'
import { isHdf5 } from './hdf5/objects.ts'

/**
 * What can be read. `safetensors` are this package's own files and those of PyTorch, `pytorch` its models in several files,
 * and pickles, whose reader says what to do instead; `hdf5` are models or weights of Keras.
 */
export type SourceFormat = 'safetensors' | 'pytorch' | 'keras' | 'hdf5' | 'tfjs' | 'onnx'

/** What can be written. */
export type TargetFormat = 'safetensors' | 'pytorch' | 'keras' | 'tfjs' | 'onnx'

/** Enough to tell the formats apart. */
const startLength = 96

/** @throws {FileFormatError} if the file cannot be read, or is of none of the formats */
export async function detectFormat(path: string): Promise<SourceFormat> {
  if ((await stat(path).catch(() => undefined))?.isDirectory()) return 'tfjs'
  const format = formatOf(await readStart(path, startLength), path)
  if (format) return format
  throw new FileFormatError(
    `${path}: is no model that can be read: expected .safetensors, .keras, .h5, .onnx, or model.json of TensorFlow.js`,
    { code: 'UnknownFormat', path },
  )
}

/** Names decide only where beginnings do not, so that a damaged file is refused by the reader of its format. */
function formatOf(start: Uint8Array, path: string): SourceFormat | undefined {
  if (isHdf5(start)) return 'hdf5'
  if (isSafetensors(start)) return 'safetensors'
  if (isPickle(start, path) || path.endsWith('.safetensors.index.json')) return 'pytorch'
  if (isZip(start) || path.endsWith('.keras')) return 'keras'
  if (path.endsWith('.safetensors')) return 'safetensors'
  if (path.endsWith('.json')) return 'tfjs'
  if (/\.(h5|hdf5)$/.test(path)) return 'hdf5'
  // A graph begins with the version of its form, field 1 of the message.
  return path.endsWith('.onnx') || start[0] === 0x08 ? 'onnx' : undefined
}

/** The length of a header that is no longer than 4 GB, and its first byte. */
function isSafetensors(start: Uint8Array): boolean {
  return start[8] === 0x7b && start.subarray(4, 8).every((byte) => byte === 0)
}

function isZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4
}

/** What torch.save writes. */
function isPickle(start: Uint8Array, path: string): boolean {
  if (start[0] === 0x80 && start[1] >= 2 && start[1] <= 5) return true
  const isArchive = isZip(start) && new TextDecoder('latin1').decode(start.subarray(30)).includes('data.pkl')
  return isArchive || /\.(pt|pth|ckpt|pkl)$/i.test(path)
}

/** @throws {FileFormatError} if no format has such names */
export function formatToWrite(path: string): TargetFormat {
  const name = basename(path)
  if (name.endsWith('.pytorch.safetensors')) return 'pytorch'
  if (name.endsWith('.safetensors')) return 'safetensors'
  if (name.endsWith('.keras') || name.endsWith('.weights.h5')) return 'keras'
  if (name.endsWith('.onnx')) return 'onnx'
  if (name.endsWith('.tfjs') || name === 'model.json' || path.endsWith('/')) return 'tfjs'
  const hint = name.endsWith('.h5') ? '; the older .h5 is read but not written' : ''
  throw new FileFormatError(
    `${path}: expected a name that ends in .safetensors, .pytorch.safetensors, .keras, .weights.h5, .onnx or .tfjs${hint}`,
    { code: 'UnknownFormat', path },
  )
}
