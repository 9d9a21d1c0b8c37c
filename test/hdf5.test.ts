/** HDF5: files of h5py are read as they were written, ours are read by the HDF5 library, and hostile ones are refused. */
import { describe, expect, it } from 'vitest'
import { Hdf5File } from '../lib/formats/hdf5/reader.ts'
import { encodeHdf5 } from '../lib/formats/hdf5/writer.ts'
import { fixture as fixtureBytes } from './support/keras.ts'
import { codeOf, refusal } from './support/refusal.ts'

const fixture = (name: string) => fixtureBytes(`keras/${name}`)
const open = (name: string) => new Hdf5File(fixture(name), name)
const counting = Array.from({ length: 35 }, (_, i) => i)

describe('a file of h5py', () => {
  it('gives chunks that were shuffled, deflated and summed, also where they reach over the edge', () => {
    const { shape, read } = open('forms.h5').dataset('/chunks')
    expect(shape).toEqual([5, 7])
    expect([...read()]).toEqual(counting)
  })

  it('gives float16 widened and big-endian float64 turned round', () => {
    const half = open('forms.h5').dataset('/half').read()
    const big = open('forms.h5').dataset('/big_endian').read()
    expect([half.constructor, [...half]]).toEqual([Float32Array, counting])
    expect([big.constructor, [...big]]).toEqual([Float64Array, counting])
  })

  it('gives texts of fixed and of variable length', () => {
    const file = open('forms.h5')
    expect(file.attribute('/', 'texts')).toEqual(['one', 'two'])
    expect(file.attribute('/', 'fixed')).toEqual(['ab', 'abcd'])
    expect(file.attribute('/', 'none')).toBeUndefined()
    expect(file.attribute('/none', 'texts')).toBeUndefined()
  })

  it('gives groups of more links than a leaf of their tree holds', () => {
    const file = open('forms.h5')
    const names = file.children('/many')!
    expect(names.length).toBe(40)
    expect(names.map((name) => file.dataset(`/many/${name}`).read()[0])).toEqual(names.map(Number))
    expect(file.children('/none')).toBeUndefined()
    expect(file.children('/half')).toEqual([])
  })

  it('is read in the newer form of libver="latest" too', () => {
    const file = open('forms_latest.h5')
    expect(file.children('/')).toEqual(['group'])
    expect([...file.dataset('/group/plain').read()]).toEqual(counting)
    expect(file.attribute('/', 'texts')).toEqual(['one', 'two'])
  })

  it('is read at an address that suits no type', () => {
    const bytes = fixture('forms.h5')
    const shifted = new Uint8Array(bytes.length + 1)
    shifted.set(bytes, 1)
    expect([...new Hdf5File(shifted.subarray(1)).dataset('/big_endian').read()]).toEqual(counting)
  })
})

describe('a file of ours', () => {
  const data = Float32Array.from([0.1, -0, Number.NaN, 3e38, 1e-45, 6])
  const groups = [
    { path: '/a/b/vars', attributes: { name: 'lstm' }, datasets: [{ name: '0', shape: [2, 3], data }] },
    { path: '/a/c' },
  ]

  it('is read as it was written, bit for bit', async () => {
    const file = new Hdf5File(await encodeHdf5(groups))
    expect(file.children('/a')).toEqual(['b', 'c'])
    expect(file.attribute('/a/b/vars', 'name')).toEqual(['lstm'])
    const { shape, read } = file.dataset('/a/b/vars/0')
    expect(shape).toEqual([2, 3])
    expect(new Uint32Array(read().buffer.slice(read().byteOffset, read().byteOffset + 24))).toEqual(
      new Uint32Array(data.buffer),
    )
  })

  it('leaves nothing behind in the library that wrote it', async () => {
    const { FS, ready } = await import('h5wasm')
    await ready
    await encodeHdf5(groups)
    const names = FS as unknown as { readdir(path: string): string[] }
    expect(names.readdir('/').filter((name) => name.endsWith('.h5'))).toEqual([])
  })
})

describe('a hostile file', () => {
  it.each([
    ['a link into another file', 'refused.h5', '/links/outside', 'UnsupportedLink'],
    ['a soft link', 'refused.h5', '/links/inside', 'UnsupportedLink'],
    ['a soft link in the older form', 'refused_earliest.h5', '/links/inside', 'UnsupportedLink'],
    ['numbers in another file', 'refused.h5', '/elsewhere', 'ExternalStorage'],
    ['numbers in a dataset of another file', 'refused.h5', '/virtual', 'VirtualDataset'],
    ['integers', 'refused.h5', '/integers', 'UnsupportedDataType'],
    ['4 GB that were never written', 'refused_earliest.h5', '/never_written', 'TooLarge'],
    ['chunks some of which were never written', 'refused_earliest.h5', '/holes', 'MissingTensor'],
    ['an unknown filter', 'refused_earliest.h5', '/unknown_filter', 'UnsupportedFilter'],
    ['40 MB of zeros in 40 KB', 'refused_earliest.h5', '/bomb', 'TooLarge'],
    ['no dataset', 'refused.h5', '/none', 'MissingTensor'],
    ['a group', 'refused.h5', '/links', 'MissingTensor'],
  ])('with %s is refused by name, and the rest of it read', (_, name, path, code) => {
    const file = open(name)
    expect(codeOf(() => file.dataset(path).read())).toBe(code)
    expect([...file.dataset('/number').read()]).toEqual([1])
  })

  it('that is cut short is refused wherever it ends', () => {
    const bytes = fixture('forms.h5')
    for (let length = 0; length < bytes.length; length += 97) {
      const code = codeOf(() => new Hdf5File(bytes.subarray(0, length)))
      expect(['NotHdf5', 'Truncated']).toContain(code)
    }
  })

  /** Where the n-th of such letters stand. */
  function find(bytes: Uint8Array, letters: string, n = 0): number {
    let at = -1
    for (let i = 0; i <= n; i++)
      at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(letters, at + 1)
    return at
  }

  it.each([0, 1])('whose tree contains itself is refused, at level %i', (level) => {
    const bytes = fixture('forms.h5')
    const tree = find(bytes, 'TREE')
    bytes[tree + 5] = level
    const view = new DataView(bytes.buffer)
    const children = view.getUint16(tree + 6, true)
    for (let i = 0; i < children; i++) view.setBigUint64(tree + 24 + 8 + 16 * i, BigInt(tree), true)
    expect(codeOf(() => new Hdf5File(bytes).children('/'))).toBe('InvalidHdf5')
  })

  it('that deflates a chunk twice is refused', () => {
    const bytes = fixture('forms.h5')
    // A filter's number stands before its name, of the older form, behind three short fields.
    const shuffle = find(bytes, 'shuffle') - 8
    expect(bytes[shuffle]).toBe(2)
    bytes[shuffle] = 1
    const { code, message } = refusal(() => new Hdf5File(bytes).dataset('/chunks').read())
    expect([code, message]).toEqual(['UnsupportedFilter', expect.stringContaining('filter 1 occurs twice')])
  })

  it('whose header goes on in itself is refused at once', () => {
    const bytes = fixture('forms.h5')
    const view = new DataView(bytes.buffer)
    const root = Number(view.getBigUint64(64, true))
    view.setUint16(root + 16, 0x10, true)
    view.setUint16(root + 18, 16, true)
    view.setBigUint64(root + 24, BigInt(root + 16), true)
    view.setBigUint64(root + 32, 24n, true)
    const start = performance.now()
    expect(() => new Hdf5File(bytes).children('/')).toThrow('its parts refer to one another again and again')
    expect(performance.now() - start).toBeLessThan(1000)
  })

  it('whose group contains itself is walked no further than asked', () => {
    const bytes = fixture('forms.h5')
    const view = new DataView(bytes.buffer)
    const root = Number(view.getBigUint64(64, true))
    // The entry of "many" in the root's list of symbols is pointed at the root.
    const list = find(bytes, 'SNOD')
    for (let entry = list + 8; entry < list + 8 + view.getUint16(list + 6, true) * 40; entry += 40)
      view.setBigUint64(entry + 8, BigInt(root), true)
    const file = new Hdf5File(bytes)
    const names = file.children('/')!
    const path = `/${Array(100).fill(names[0]).join('/')}`
    expect(file.children(path)).toEqual(names)
  })

  it.each([
    ['forms.h5', 6000],
    ['forms_latest.h5', 3000],
    ['refused_earliest.h5', 1000],
  ])('made of %s by changing bytes gives numbers or a typed error, in little time', (name, count) => {
    const original = fixture(name)
    let state = 1
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * n)
    }
    let refused = 0
    const start = performance.now()
    for (let i = 0; i < count; i++) {
      const bytes = original.slice()
      for (let k = 0; k <= random(4); k++)
        bytes[random(bytes.length)] = [0, 1, 127, 255, random(256)][random(5)]
      if (codeOf(() => readAll(new Hdf5File(bytes))) !== 'nothing thrown') refused += 1
    }
    expect(refused).toBeGreaterThan(count / 20)
    expect((performance.now() - start) / count).toBeLessThan(50)
  })
})

function readAll(file: Hdf5File, path = '', depth = 0): void {
  file.attribute(path || '/', 'texts')
  for (const name of file.children(path || '/') ?? []) {
    const inner = `${path}/${name}`
    if (depth < 4 && file.children(inner)!.length > 0) readAll(file, inner, depth + 1)
    else codeOf(() => file.dataset(inner).read())
  }
}
