/** Zip archives: those of others are read, ours are like theirs, and bombs and lies are refused before they cost anything. */
import { strToU8, unzipSync, zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { encodeZip, openZip } from '../lib/formats/zip.ts'
import { codeOf } from './support/refusal.ts'

const text = strToU8('an entry of some length, so that deflating it, deflating it, deflating it pays')

/** An archive whose central directory has been changed at a field of its only entry, counted from its signature. */
function changed(bytes: Uint8Array, field: number, value: number, size: 2 | 4 = 4): Uint8Array {
  const copy = bytes.slice()
  const at = Buffer.from(copy.buffer).lastIndexOf('PK\u0001\u0002')
  const view = new DataView(copy.buffer)
  if (size === 2) view.setUint16(at + field, value, true)
  else view.setUint32(at + field, value, true)
  return copy
}

const deflated = zipSync({ a: text })
const stored = zipSync({ a: [text, { level: 0 }] })
const [method, size, offset, flags] = [10, 24, 42, 8]

describe('openZip', () => {
  it('gives entries that are stored, as views, and those that are deflated', () => {
    const archive = openZip(zipSync({ a: [text, { level: 0 }], 'b/c': text }))
    expect(archive.names).toEqual(['a', 'b/c'])
    expect([archive.has('a'), archive.has('b')]).toEqual([true, false])
    expect([archive.read('a'), archive.read('b/c')]).toEqual([text, text])
    expect(openZip(stored).read('a').buffer).toBe(stored.buffer)
  })

  it('reads an archive behind which a comment stands, and one of long sizes', () => {
    const comment = strToU8('a comment')
    const bytes = new Uint8Array([...stored, ...comment])
    new DataView(bytes.buffer).setUint16(stored.length - 2, comment.length, true)
    expect(openZip(bytes).read('a')).toEqual(text)
    expect(openZip(longSizes()).read('a')).toEqual(text)
  })

  it('refuses what is no archive, or half of one', () => {
    expect(codeOf(() => openZip(text))).toBe('NotZip')
    for (let length = 0; length < deflated.length; length++)
      expect(codeOf(() => openZip(deflated.subarray(0, length)))).toBe('NotZip')
    expect(codeOf(() => openZip(deflated.subarray(5)).read('a'))).toBe('InvalidZip')
    expect(codeOf(() => openZip(stored).read('b'))).toBe('MissingEntry')
  })

  it.each([
    ['says that it is 2 GB long', changed(deflated, size, 2 ** 31), 'TooLarge'],
    ['is longer than it says', changed(deflated, size, text.length - 1), 'InvalidZip'],
    ['is shorter than it says', changed(deflated, size, text.length + 1), 'InvalidZip'],
    ['is stored, but of another length', changed(stored, size, 5), 'InvalidZip'],
    ['begins outside the file', changed(stored, offset, 2 ** 31), 'InvalidZip'],
    ['begins at no header', changed(stored, offset, 1), 'InvalidZip'],
    ['is compressed in another way', changed(stored, method, 12, 2), 'UnsupportedZip'],
    ['is encrypted', changed(stored, flags, 1, 2), 'UnsupportedZip'],
    ['has a checksum of another content', changed(stored, 16, 1), 'InvalidZip'],
    ['has a name that leaves the directory', changed(stored, 28, 60000, 2), 'InvalidZip'],
  ])('refuses an entry that %s', (_, bytes, code) => {
    expect(codeOf(() => openZip(bytes).read('a'))).toBe(code)
  })

  it('refuses 64 MB of zeros in 300 KB before it inflates them', () => {
    const bomb = zipSync({ a: [new Uint8Array(2 ** 26), { level: 1 }] })
    expect(bomb.length).toBeLessThan(300_000)
    const before = process.memoryUsage().rss
    expect(codeOf(() => openZip(bomb))).toBe('TooLarge')
    // That lies about its length, too: what comes out is cut off where it said it would end.
    expect(codeOf(() => openZip(changed(bomb, size, 1000)).read('a'))).toBe('InvalidZip')
    expect(process.memoryUsage().rss - before).toBeLessThan(32e6)
  })

  it('refuses entries of the same name and more of them than any model has', () => {
    const two = zipSync({ a: text, b: text })
    const twice = Buffer.from(two)
    twice[twice.lastIndexOf('b')] = 'a'.charCodeAt(0)
    expect(codeOf(() => openZip(twice))).toBe('InvalidZip')
    const many = Object.fromEntries(Array.from({ length: 10_001 }, (_, i) => [`${i}`, new Uint8Array(0)]))
    expect(codeOf(() => openZip(zipSync(many, { level: 0 })))).toBe('TooLarge')
  })
})

describe('encodeZip', () => {
  it('writes what others read, the same bytes each time', () => {
    const bytes = encodeZip([
      ['b', text],
      ['a/c', new Uint8Array(0)],
    ])
    expect(unzipSync(bytes)).toEqual({ b: text, 'a/c': new Uint8Array(0) })
    expect(
      encodeZip([
        ['b', text],
        ['a/c', new Uint8Array(0)],
      ]),
    ).toEqual(bytes)
  })
})

/** `stored` as Python writes an entry whose length it does not know beforehand: in fields of 64 bits. */
function longSizes(): Uint8Array {
  const at = Buffer.from(stored.buffer).lastIndexOf('PK\u0001\u0002')
  const extra = new Uint8Array(20)
  const view = new DataView(extra.buffer)
  view.setUint16(0, 1, true)
  view.setUint16(2, 16, true)
  view.setBigUint64(4, BigInt(text.length), true)
  view.setBigUint64(12, BigInt(text.length), true)
  const entry = stored.slice(at, at + 47)
  const fields = new DataView(entry.buffer)
  fields.setUint32(20, 0xffffffff, true)
  fields.setUint32(24, 0xffffffff, true)
  fields.setUint16(30, extra.length, true)
  const end = stored.slice(-22)
  new DataView(end.buffer).setUint32(12, entry.length + extra.length, true)
  return new Uint8Array([...stored.slice(0, at), ...entry, ...extra, ...end])
}
