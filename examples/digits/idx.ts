/** Reads the files of MNIST: images and labels in IDX, compressed with gzip. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { DataError } from 'lstm-native'

export interface Digits {
  /** Of each image. */
  rows: number
  columns: number
  /** Images one after the other, row by row, in [0, 1]. */
  pixels: Float32Array
  /** The digit that each shows, 0 to 9. */
  labels: Uint8Array
}

/** @throws {DataError} if a file is cut off, is none of the two, or they do not belong together */
export function readDigits(imageFile: string, labelFile: string): Digits {
  const images = readIdx(imageFile, { axes: 3, what: 'images' })
  const labels = readIdx(labelFile, { axes: 1, what: 'labels' })
  const [count, rows, columns] = images.shape
  if (labels.shape[0] !== count) {
    throw new DataError({
      file: labelFile,
      expected: `a label for each of the ${count} images in ${imageFile}`,
      got: `${labels.shape[0]} labels`,
      fix: 'take both files from the same set',
    })
  }
  if (images.data.length === 0) {
    throw new DataError({
      file: imageFile,
      expected: 'images of at least one pixel',
      got: `[${images.shape}]`,
    })
  }
  const odd = labels.data.findIndex((label) => label > 9)
  if (odd >= 0) {
    throw new DataError({
      file: labelFile,
      place: `label ${odd}`,
      expected: 'a digit from 0 to 9',
      got: String(labels.data[odd]),
      fix: 'take the labels of MNIST itself, not of one of its relatives',
    })
  }
  return {
    rows,
    columns,
    pixels: Float32Array.from(images.data, (pixel) => pixel / 255),
    labels: labels.data,
  }
}

/** Two zero bytes, the type 8 (bytes), the number of axes, their lengths as big-endian integers, then the elements. */
function readIdx(
  file: string,
  { axes, what }: { axes: number; what: string },
): { shape: number[]; data: Uint8Array } {
  const bytes = unpacked(file)
  const kind = `an IDX file of ${what}: the number ${0x800 + axes} at its start`
  const header = 4 + 4 * axes
  if (bytes.length < header) {
    throw new DataError({ file, expected: kind, got: `${bytes.length} bytes`, fix: 'download it again' })
  }
  const magic = bytes.readUInt32BE(0)
  if (magic !== 0x800 + axes) {
    throw new DataError({
      file,
      expected: kind,
      got: `the number ${magic}`,
      fix: 'are the two files exchanged?',
    })
  }
  const shape = Array.from({ length: axes }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis))
  const length = shape.reduce((product, n) => product * n, 1)
  const data = bytes.subarray(header)
  if (data.length === length) return { shape, data }
  throw new DataError({
    file,
    expected: `${length} bytes of ${what} after the header, which says [${shape}]`,
    got: `${data.length}`,
    fix: data.length < length ? 'it is cut off: download it again' : 'something else was appended to it',
  })
}

function unpacked(file: string): Buffer {
  try {
    return gunzipSync(readFileSync(file))
  } catch (cause) {
    throw new DataError({
      file,
      expected: 'a file compressed with gzip',
      got: (cause as Error).message,
      fix: 'download it again, and leave it compressed',
      cause,
    })
  }
}
