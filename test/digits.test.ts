/** The digits recipe's reader of IDX files: what it reads, and how it refuses what is none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readDigits } from '../examples/digits/idx.ts'
import { digitsBatch, shiftedBatches } from '../examples/digits/network.ts'
import { DataError } from '../lib/errors.ts'
import { Random } from '../lib/random.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'digits-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

/** An IDX file of bytes. */
function idx(shape: number[], data: number[], magic = 0x800 + shape.length): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length)
  header.writeUInt32BE(magic, 0)
  for (const [axis, n] of shape.entries()) header.writeUInt32BE(n, 4 + 4 * axis)
  return Buffer.concat([header, Buffer.from(data)])
}

const images = idx([2, 2, 3], [0, 51, 102, 153, 204, 255, 255, 0, 0, 0, 0, 0])
const labels = idx([2], [7, 9])

function read({ image = gzipSync(images), label = gzipSync(labels) }: { image?: Buffer; label?: Buffer }) {
  const [imageFile, labelFile] = [join(folder, 'images.gz'), join(folder, 'labels.gz')]
  writeFileSync(imageFile, image)
  writeFileSync(labelFile, label)
  return readDigits(imageFile, labelFile)
}

describe('the reader of digits', () => {
  it('reads images and labels', () => {
    const { rows, columns, pixels, labels: digits } = read({})
    expect([rows, columns, [...digits]]).toEqual([2, 3, [7, 9]])
    expect([...pixels.subarray(0, 7)]).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1, 1].map(Math.fround))
  })

  it.each([
    [
      'a file cut off',
      { image: gzipSync(images.subarray(0, -3)) },
      /images\.gz: expected 12 bytes of images after the header, which says \[2,2,3\], got 9; it is cut off/,
    ],
    [
      'a compressed file cut off',
      { image: gzipSync(images).subarray(0, -12) },
      /images\.gz: expected a file compressed with gzip, got unexpected end of file/,
    ],
    [
      'a file that is not compressed',
      { label: labels },
      /labels\.gz: expected a file compressed with gzip, got incorrect header check/,
    ],
    [
      'more than the header says',
      { label: gzipSync(Buffer.concat([labels, labels])) },
      /something else was appended/,
    ],
    [
      'files exchanged',
      { image: gzipSync(labels), label: gzipSync(images) },
      /images\.gz: expected an IDX file of images: the number 2051 at its start, got .*; /,
    ],
    [
      'an empty file',
      { label: gzipSync(Buffer.alloc(0)) },
      /labels\.gz: expected an IDX file of labels: the number 2049 at its start, got 0 bytes/,
    ],
    [
      'a label out of range',
      { label: gzipSync(idx([2], [7, 10])) },
      /labels\.gz, label 1: expected a digit from 0 to 9, got 10; /,
    ],
    [
      'another number of labels',
      { label: gzipSync(idx([1], [7])) },
      /expected a label for each of the 2 images in .*images\.gz, got 1 labels/,
    ],
    [
      'no images',
      { image: gzipSync(idx([0, 2, 3], [])), label: gzipSync(idx([0], [])) },
      /expected images of at least one pixel, got \[0,2,3\]/,
    ],
  ])('refuses %s', (_, files, message) => {
    expect(() => read(files)).toThrow(DataError)
    expect(() => read(files)).toThrow(message)
  })
})

describe('batches of digits', () => {
  it('hold the images as they are', () => {
    const digits = read({})
    const { x, y } = digitsBatch(digits, 1, 1)
    expect([x.shape, [...x.data], [...y.data]]).toEqual([[1, 2, 3, 1], [1, 0, 0, 0, 0, 0], [9]])
  })

  it('or each once, moved by up to two pixels', () => {
    const pixels = Float32Array.from({ length: 3 * 49 }, (_, i) =>
      i % 49 === 24 ? 1 + Math.floor(i / 49) : 0,
    )
    const digits = { rows: 7, columns: 7, pixels, labels: Uint8Array.of(4, 5, 6) }
    const seen = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const batches = [...shiftedBatches(digits, 3, { batchSize: 2, random: new Random(seed) })]
      expect(batches.map(({ x }) => x.shape[0])).toEqual([2, 1])
      const labels = batches.flatMap(({ y }) => [...y.data])
      expect(labels.sort()).toEqual([4, 5, 6])
      for (const { x, y } of batches)
        for (const [b, label] of y.data.entries()) {
          const image = x.data.subarray(b * 49, (b + 1) * 49)
          const at = image.findIndex((value) => value !== 0)
          // The one point of the middle, still there, with its own label.
          expect([image[at], image.filter((value) => value !== 0).length]).toEqual([label - 3, 1])
          seen.add(`${Math.floor(at / 7) - 3},${(at % 7) - 3}`)
        }
    }
    expect(seen.size).toBe(25)
  })
})
