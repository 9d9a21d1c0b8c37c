/** Safetensors on the disk: reading on demand, writing a tensor at a time, models in several files. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeShardIndex,
  encodeSafetensors,
  openSafetensors,
  openShards,
  readSafetensors,
  type TensorToStore,
  writeSafetensors,
} from 'lstm-native/formats'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FileFormatError } from '../lib/errors.ts'
import { writeFileAtomically } from '../lib/formats/atomic.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'safetensors-'))
})
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)

const tensors: [string, TensorToStore][] = [
  ['weight', { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }],
  ['half', { shape: [3], data: Float32Array.of(0.5, -2, 65504), dataType: 'F16' }],
  ['double', { shape: [1], data: Float64Array.of(0.1) }],
  ['count', { shape: [], data: BigInt64Array.of(7n) }],
  ['odd', { shape: [3], data: Uint8Array.of(1, 2, 3) }],
]

describe('openSafetensors', () => {
  it('reads tensors one by one, in any order and several at a time', async () => {
    const path = at('several.safetensors')
    await writeSafetensors(path, tensors, { metadata: { k: 'v' } })
    await using file = await openSafetensors(path)
    expect(file.metadata).toEqual(new Map([['k', 'v']]))
    expect([...file.tensors.keys()]).toEqual(['count', 'double', 'weight', 'half', 'odd'])
    expect(file.tensors.get('weight')).toEqual({ shape: [2, 2], dataType: 'F32', start: 16, end: 32 })
    const read = await Promise.all(tensors.map(([name]) => file.read(name)))
    for (const [i, [, { shape, data }]] of tensors.entries()) expect(read[i]).toMatchObject({ shape, data })
  })

  it('reads unaligned tensors: a header that no spaces fill up, a byte before the floats', async () => {
    const header =
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}'
    const bytes = new Uint8Array(8 + header.length + 9)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
    bytes.set(Buffer.from(header), 8)
    bytes.set(new Uint8Array(Float32Array.of(1.5, -3).buffer), 9 + header.length)
    expect((9 + header.length) % 4).not.toBe(0)
    writeFileSync(at('unaligned.safetensors'), bytes)
    expect((await readSafetensors(at('unaligned.safetensors'))).tensors.get('b')!.data).toEqual(
      Float32Array.of(1.5, -3),
    )
  })

  it('reads into arrays, converting where the types differ', async () => {
    const path = at('into.safetensors')
    await writeSafetensors(path, tensors)
    const file = await openSafetensors(path)
    const target = new Float64Array(4)
    await file.readInto('weight', target)
    expect(target).toEqual(Float64Array.of(1, 2, 3, 4))
    const single = new Float32Array(1)
    for (const [name, value] of [['double', Math.fround(0.1)] as const, ['count', 7] as const]) {
      await file.readInto(name, single)
      expect(single[0]).toBe(value)
    }
    await expect(file.readInto('half', single)).rejects.toThrow(/"half" has 3 elements, the array 1/)
    await expect(file.read('wieght')).rejects.toMatchObject({
      code: 'MissingTensor',
      tensor: 'wieght',
      message: expect.stringContaining('the nearest is "weight"'),
    })
    await file.close()
  })

  it('knows tensors that no typed array can hold, and refuses to read those only', async () => {
    const header = JSON.stringify({
      eighth: { dtype: 'F8_E5M2', shape: [3], data_offsets: [0, 3] },
      sixth: { dtype: 'F6_E2M3', shape: [4], data_offsets: [3, 6] },
      good: { dtype: 'U8', shape: [1], data_offsets: [6, 7] },
    })
    const bytes = new Uint8Array(8 + header.length + 7).fill(9)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true)
    bytes.set(Buffer.from(header), 8)
    writeFileSync(at('eighth.safetensors'), bytes)
    const file = await openSafetensors(at('eighth.safetensors'))
    expect(file.tensors.get('eighth')!.dataType).toBe('F8_E5M2')
    await expect(file.read('eighth')).rejects.toMatchObject({ code: 'UnsupportedDataType', tensor: 'eighth' })
    expect((await file.read('good')).data).toEqual(Uint8Array.of(9))
    await file.close()
    await expect(readSafetensors(at('eighth.safetensors'))).rejects.toMatchObject({
      code: 'UnsupportedDataType',
    })
  })

  it('refuses a wrong header, a folder and a file that ends early, and keeps nothing open', async () => {
    const path = at('short.safetensors')
    await writeSafetensors(path, tensors)
    const file = await openSafetensors(path)
    truncateSync(path, readFileSync(path).length - 1)
    await expect(file.read('odd')).rejects.toMatchObject({ code: 'FileChanged', path })
    await file.close()
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'MetadataIncompleteBuffer', path })
    truncateSync(path, 7)
    await expect(openSafetensors(path)).rejects.toMatchObject({ code: 'HeaderTooSmall', path })
    await expect(openSafetensors(folder)).rejects.toMatchObject({ name: 'FileFormatError', path: folder })
    const descriptors = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 20; i++) await openSafetensors(path).catch(() => {})
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(descriptors)
  })

  const size = process.env.LARGE_FILE === 'full' ? 2_500_000_000 : 250_000_000
  it(`opens a file of ${size / 1e6} MB in under 50 ms and 50 MB, and reads one tensor of it right`, async () => {
    const path = at('large.safetensors')
    const part = Math.floor(size / 10 / 4)
    const { head, last } = await makeSparseFile(path, { parts: 10, part })
    global.gc?.()
    const before = process.memoryUsage().rss
    const start = performance.now()
    const file = await openSafetensors(path)
    const milliseconds = performance.now() - start
    const bytes = process.memoryUsage().rss - before
    expect(file.tensors.size).toBe(11)
    expect(milliseconds).toBeLessThan(50)
    expect(bytes).toBeLessThan(50_000_000)
    expect((await file.read('z_last')).data).toEqual(last)
    expect(process.memoryUsage().rss - before).toBeLessThan(50_000_000)
    expect(head.length + 10 * part * 4 + last.byteLength).toBeGreaterThan(size * 0.99)
    await file.close()
  })
})

/** A file of zeros that take no room on the disk, but for its last tensor, `z_last`. */
async function makeSparseFile(path: string, { parts, part }: { parts: number; part: number }) {
  const last = Float32Array.from({ length: 1000 }, (_, i) => Math.sqrt(i))
  const fields = Array.from({ length: parts }, (_, i) => [
    `part${i}`,
    { dtype: 'F32', shape: [part], data_offsets: [i * part * 4, (i + 1) * part * 4] },
  ])
  const start = parts * part * 4
  const header = Buffer.from(
    JSON.stringify(
      Object.fromEntries([
        ...fields,
        ['z_last', { dtype: 'F32', shape: [1000], data_offsets: [start, start + last.byteLength] }],
      ]),
    ),
  )
  const head = Buffer.alloc(8 + header.length)
  head.writeBigUInt64LE(BigInt(header.length))
  header.copy(head, 8)
  const file = await open(path, 'w')
  await file.write(head)
  await file.write(new Uint8Array(last.buffer), 0, last.byteLength, head.length + start)
  await file.close()
  return { head, last }
}

describe('writeSafetensors', () => {
  it('writes the bytes that encodeSafetensors makes', async () => {
    await writeSafetensors(at('written.safetensors'), tensors, { metadata: { k: 'v' } })
    const expected = Buffer.from(encodeSafetensors(tensors, { k: 'v' }))
    expect(readFileSync(at('written.safetensors')).equals(expected)).toBe(true)
  })

  it('asks for tensors one after the other, when it is their turn', async () => {
    const asked: string[] = []
    const lazy = (name: string, value: number) =>
      [
        name,
        {
          shape: [2],
          dataType: 'BF16',
          data: async () => {
            asked.push(name)
            return Float32Array.of(value, value)
          },
        },
      ] as const
    await writeSafetensors(at('lazy.safetensors'), [lazy('b', 2), lazy('a', 1)])
    expect(asked).toEqual(['a', 'b'])
    const { tensors } = await readSafetensors(at('lazy.safetensors'))
    expect(tensors.get('b')).toEqual({ shape: [2], dataType: 'BF16', data: Float32Array.of(2, 2) })
  })

  it('leaves the old file, and nothing beside it, when a tensor cannot be had or does not fit', async () => {
    const path = at('kept.safetensors')
    writeFileSync(path, 'old')
    const lazy = (data: () => Float32Array) => [['a', { shape: [1], dataType: 'F32', data }]] as const
    const failing = () => {
      throw new Error('no such tensor')
    }
    await expect(writeSafetensors(path, lazy(failing))).rejects.toThrow('no such tensor')
    await expect(
      writeSafetensors(
        path,
        lazy(() => new Float32Array(2)),
      ),
    ).rejects.toThrow(RangeError)
    const typeless = [['a', { shape: [1], data: () => new Float32Array(1) }]] as never
    await expect(writeSafetensors(path, typeless)).rejects.toThrow(
      /"a", whose data come later, to have a dataType/,
    )
    await expect(writeSafetensors(path, [], { metdata: {} } as never)).rejects.toThrow(
      /did you mean "metadata"/,
    )
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })
})

describe('a model in several files', () => {
  const index = (map: Record<string, string>, more = '') =>
    Buffer.from(`{"metadata":{"total_size":12.5e1,"x":[]},"weight_map":${JSON.stringify(map)}${more}}`)

  it('is opened by its index as if it were one', async () => {
    await writeSafetensors(at('model-00001-of-00002.safetensors'), [tensors[0], tensors[1]])
    await writeSafetensors(at('model-00002-of-00002.safetensors'), [tensors[2]])
    const path = at('model.safetensors.index.json')
    const map = {
      weight: 'model-00001-of-00002.safetensors',
      double: 'model-00002-of-00002.safetensors',
    }
    writeFileSync(path, index(map))
    const file = await openShards(path)
    expect([...file.tensors.keys()]).toEqual(['weight', 'double'])
    expect((await file.read('double')).data).toEqual(Float64Array.of(0.1))
    await expect(file.read('half')).rejects.toMatchObject({ code: 'MissingTensor', path })
    await file.close()
    writeFileSync(path, index({ ...map, other: map.double }))
    await expect(openShards(path)).rejects.toMatchObject({
      code: 'MissingTensor',
      tensor: 'other',
      path: at(map.double),
    })
    appendFileSync(at(map.double), 'x')
    await expect(openShards(path)).rejects.toMatchObject({ code: 'MetadataIncompleteBuffer' })
  })

  it.each([
    '../model.safetensors',
    '/etc/passwd',
    'a/b',
    'a\\b',
    'C:x',
    '..',
    '.',
    '',
    'a\0b',
  ])('has its files in the folder of the index: not %j', (name) => {
    expect(() => decodeShardIndex(index({ a: name }), 'index.json')).toThrow(
      expect.objectContaining({ code: 'UnsafePath', tensor: 'a', path: 'index.json' }),
    )
  })

  it.each([
    ['{}', 'InvalidIndex'],
    ['[]', 'InvalidIndex'],
    ['{"weight_map":{"a":1}}', 'InvalidIndex'],
    ['{"weight_map":{"a":"x","\\u0061":"y"}}', 'DuplicateName'],
    ['{"weight_map":{},"weight_map":{}}', 'DuplicateName'],
  ])('has an index that makes sense: not %s', (text, code) => {
    expect(() => decodeShardIndex(Buffer.from(text))).toThrow(expect.objectContaining({ code }))
  })
})

describe('writeFileAtomically', () => {
  it('a file written atomically replaces the old one and leaves nothing beside it', async () => {
    const path = join(folder, 'a.safetensors')
    writeFileSync(path, 'old')
    await writeFileAtomically(path, encodeSafetensors([['a', { shape: [1], data: Float32Array.of(5) }]]))
    expect((await readSafetensors(path)).tensors.get('a')!.data).toEqual(Float32Array.of(5))
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('a write that fails keeps what was there, removes the temporary one and says why', async () => {
    const path = join(folder, 'b')
    mkdirSync(path)
    await expect(writeFileAtomically(path, new Uint8Array(1))).rejects.toThrow(FileFormatError)
    expect(readdirSync(path)).toEqual([])
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([])
    const nowhere = join(folder, 'no', 'such', 'folder')
    await expect(writeFileAtomically(nowhere, new Uint8Array(1))).rejects.toMatchObject({
      code: 'ENOENT',
      path: nowhere,
    })
  })

  it('a file that is not there is a FileFormatError with its path', async () => {
    const path = join(folder, 'missing')
    await expect(readSafetensors(path)).rejects.toMatchObject({
      name: 'FileFormatError',
      code: 'ENOENT',
      path,
    })
  })
})
