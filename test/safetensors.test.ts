/** The safetensors reader and writer: round trips, every type, and one hostile file for each check. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FileFormatError } from '../lib/errors.ts'
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredArray,
  type StoredType,
} from '../lib/formats/safetensors/index.ts'

/** A file with this header, written as it is, and that many bytes of tensors. */
function file(header: string | Uint8Array, tensorBytes: number | Uint8Array = 0): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const tensors = typeof tensorBytes === 'number' ? new Uint8Array(tensorBytes) : tensorBytes
  const bytes = new Uint8Array(8 + json.length + tensors.length)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true)
  bytes.set(json, 8)
  bytes.set(tensors, 8 + json.length)
  return bytes
}

/** A file of one tensor `a`. */
function one(dtype: string, shape: string, offsets: string, tensorBytes: number | Uint8Array): Uint8Array {
  return file(`{"a":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}}`, tensorBytes)
}

/** An empty tensor with a field of so many arrays inside each other. */
function nested(depth: number): Uint8Array {
  const arrays = '['.repeat(depth) + ']'.repeat(depth)
  return file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":${arrays}}}`)
}

/** Metadata of so many texts. */
function manyTexts(count: number): string {
  return Array.from({ length: count }, (_, i) => `"${i}":""`).join(',')
}

function withLength(length: bigint, rest = '{}'): Uint8Array {
  const bytes = file(rest)
  new DataView(bytes.buffer).setBigUint64(0, length, true)
  return bytes
}

function refusal(bytes: Uint8Array): FileFormatError {
  try {
    decodeSafetensors(bytes, 'model.safetensors')
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError)
    return error as FileFormatError
  }
  throw new Error('expected the file to be refused')
}

describe('decodeSafetensors refuses', () => {
  const two = (a: string, b: string, tensorBytes: number, name = 'b') =>
    file(
      `{"a":{"dtype":"U8","shape":[2],"data_offsets":${a}},"${name}":{"dtype":"U8","shape":[2],"data_offsets":${b}}}`,
      tensorBytes,
    )
  type Hostile = [what: string, code: string, bytes: Uint8Array, tensor?: string]
  const invalid = 'InvalidHeaderDeserialization'
  const nested = (depth: number) =>
    file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`)
  const hostile: Hostile[] = [
    ['a file shorter than its length field', 'HeaderTooSmall', new Uint8Array(7)],
    ['a header of more than 25,000,000 bytes', 'HeaderTooLarge', withLength(25_000_001n)],
    ['a header length beyond 2⁵³', 'HeaderTooLarge', withLength(2n ** 64n - 1n)],
    ['a header that ends beyond the file', 'InvalidHeaderLength', withLength(3n)],
    ['a header of length 0', 'InvalidHeaderStart', withLength(0n, '{')],
    ['a header that begins with a space', 'InvalidHeaderStart', file(' {}')],
    ['a header that begins with a byte order mark', 'InvalidHeaderStart', file('\ufeff{}')],
    ['a header that is not UTF-8', 'InvalidHeader', file(Uint8Array.of(0x7b, 0xff, 0x7d))],
    ['a header that is not JSON', 'InvalidHeaderDeserialization', file('{"a":'), 'a'],
    ['text after the JSON', 'InvalidHeaderDeserialization', file('{} x')],
    ['a tensor name that occurs twice', 'DuplicateName', two('[0,2]', '[2,4]', 4, 'a'), 'a'],
    ['a name that occurs twice, once escaped', 'DuplicateName', two('[0,2]', '[2,4]', 4, '\\u0061'), 'a'],
    [
      'a __proto__ that occurs twice',
      'DuplicateName',
      file(
        '{"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},' +
          '"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      ),
      '__proto__',
    ],
    ...['"dtype":"F32"', '"shape":[]', '"data_offsets":[0,1]'].map(
      (field): Hostile => [
        `the field ${field} given again`,
        'DuplicateName',
        file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],${field}}}`, 1),
        'a',
      ],
    ),
    ['a metadata text that occurs twice', 'DuplicateName', file('{"__metadata__":{"k":"1","\\u006b":"2"}}')],
    ['metadata that occur twice', 'DuplicateName', file('{"__metadata__":{},"__metadata__":{}}')],
    ['metadata that is no object', invalid, file('{"__metadata__":["a"]}')],
    ['metadata that is no text', invalid, file('{"__metadata__":{"a":1}}')],
    ['a tensor that is no object', 'InvalidHeaderDeserialization', file('{"a":null}'), 'a'],
    [
      'a tensor without a shape',
      'InvalidHeaderDeserialization',
      file('{"a":{"dtype":"U8","data_offsets":[0,0]}}'),
      'a',
    ],
    ['three offsets', 'InvalidHeaderDeserialization', one('U8', '[0]', '[0,0,0]', 0), 'a'],
    ...['-1', '-0', '1.0', '1e0', '01', '1E2', '"1"', 'null', '', ',1', '1,', '+1', '0x1', 'NaN', '[1]'].map(
      (dimension): Hostile => [
        `a dimension written as ${dimension}`,
        invalid,
        one('U8', `[${dimension === '' ? ' , ' : dimension}]`, '[0,1]', 1),
        'a',
      ],
    ),
    ['an offset beyond 2⁵³', invalid, one('U8', '[1]', '[0,18446744073709551617]', 1), 'a'],
    ['nesting deeper than 127', invalid, nested(126), 'a'],
    ['nesting of a million brackets', invalid, nested(1_000_000), 'a'],
    ['a name with half a character', invalid, file('{"\\ud83d":1}')],
    ['a name with an unknown escape', invalid, file('{"\\x41":1}')],
    ['a name with a line break', invalid, file('{"a\nb":1}')],
    ['a name that does not end', invalid, file('{"a\\"')],
    ...['01', '1.', '.5', '1e', '-', 'tru', 'nul', "'a'", '[1,]', '{"a":1,}', '{"a"}', '{1:2}', ''].map(
      (value): Hostile => [
        `an unknown field of the value ${value}`,
        invalid,
        file(`{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":${value}}}`),
        'a',
      ],
    ),
    ['65 dimensions', 'TensorInvalidInfo', one('U8', `[${Array(65).fill(1)}]`, '[0,1]', 1), 'a'],
    ['more than 250,000 names', 'HeaderTooLarge', file(`{"__metadata__":{${manyTexts(250_001)}}}`)],
    ['F4 that ends inside a byte', 'MisalignedSlice', one('F4', '[3]', '[0,1]', 1), 'a'],
    ['a type that no typed array can hold', 'UnsupportedDataType', one('F8_E4M3', '[1]', '[0,1]', 1), 'a'],
    [
      'a dimension beyond 2⁵³',
      'InvalidHeaderDeserialization',
      one('U8', '[9007199254740993]', '[0,1]', 1),
      'a',
    ],
    ['an unknown data type', 'UnsupportedDataType', one('F3', '[2]', '[0,1]', 1), 'a'],
    [
      'a data type named as an inherited property',
      'UnsupportedDataType',
      one('constructor', '[1]', '[0,1]', 1),
      'a',
    ],
    ['an end before the begin', 'InvalidOffset', one('U8', '[1]', '[1,0]', 1), 'a'],
    [
      'a shape whose size overflows',
      'ValidationOverflow',
      one('U8', '[4294967296,4294967296,0]', '[0,0]', 0),
      'a',
    ],
    [
      'a size in bytes that overflows',
      'ValidationOverflow',
      one('F64', '[9007199254740991]', '[0,8]', 8),
      'a',
    ],
    ['offsets that do not fit the shape', 'TensorInvalidInfo', one('F32', '[2]', '[0,4]', 4), 'a'],
    ['a first tensor that does not begin at 0', 'InvalidOffset', one('U8', '[1]', '[1,2]', 2), 'a'],
    ['a hole between tensors', 'InvalidOffset', two('[0,2]', '[3,5]', 5), 'b'],
    ['tensors that overlap', 'InvalidOffset', two('[1,3]', '[0,2]', 3), 'a'],
    ['two tensors in one place', 'InvalidOffset', two('[0,2]', '[0,2]', 2), 'b'],
    ['bytes after the last tensor', 'MetadataIncompleteBuffer', one('U8', '[1]', '[0,1]', 2)],
    ['tensors that end beyond the file', 'MetadataIncompleteBuffer', one('U8', '[2]', '[0,2]', 1)],
  ]
  it.each(hostile)('%s (%s)', (_, code, bytes, tensor) => {
    const { message, ...details } = refusal(bytes)
    expect(details).toMatchObject({ code, path: 'model.safetensors', tensor })
    expect(message).toMatch(tensor ? `model.safetensors, tensor "${tensor}": ` : 'model.safetensors: ')
  })

  it('a file cut off at any byte', () => {
    const whole = encodeSafetensors([['a', { shape: [3], data: Float32Array.of(1, 2, 3) }]])
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeSafetensors(whole.subarray(0, length))).toThrow(FileFormatError)
    }
  })
})

describe('decodeSafetensors reads', () => {
  const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  it.each([
    ['F64', Float64Array.of(1.5, -2)],
    ['F32', Float32Array.of(1.5, Number.NaN)],
    ['U64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['I64', BigInt64Array.of(-1n, 2n ** 60n)],
    ['U32', Uint32Array.of(0, 2 ** 32 - 1)],
    ['I32', Int32Array.of(-1, 7)],
    ['U16', Uint16Array.of(0, 65535)],
    ['I16', Int16Array.of(-1, 7)],
    ['I8', Int8Array.of(-1, 7)],
    ['U8', Uint8Array.of(0, 255)],
    ['BOOL', Uint8Array.of(0, 1)],
  ])('%s, aligned or not', (dtype, data) => {
    const offsets = `[0,${data.byteLength}]`
    const bytes = one(dtype, '[2]', offsets, bytesOf(data))
    for (let shift = 0; shift < 8; shift++) {
      const shifted = new Uint8Array(bytes.length + shift).subarray(shift)
      shifted.set(bytes)
      const { tensors } = decodeSafetensors(shifted)
      expect(tensors.get('a')).toEqual({ shape: [2], dataType: dtype, data })
    }
  })

  it('F16 and BF16 as float32: zeros, subnormals, the largest, infinities and NaN', () => {
    const halves = Uint16Array.of(
      0x3c00,
      0xc000,
      0x8000,
      0x0001,
      0x03ff,
      0x7bff,
      0x7c00,
      0xfc00,
      0x7e00,
      0x3555,
    )
    const expected = [1, -2, -0, 2 ** -24, 1023 * 2 ** -24, 65504, Infinity, -Infinity, NaN, 0.333251953125]
    const half = decodeSafetensors(one('F16', '[10]', '[0,20]', bytesOf(halves)))
    expect(half.tensors.get('a')!.data).toEqual(Float32Array.from(expected))
    const upper = Uint16Array.of(0x3f80, 0xc000, 0x8000, 0x0001, 0x7f80, 0x4049)
    const brain = decodeSafetensors(one('BF16', '[6]', '[0,12]', bytesOf(upper)))
    expect(brain.tensors.get('a')!.data).toEqual(Float32Array.of(1, -2, -0, 2 ** -133, Infinity, 3.140625))
  })

  it('empty tensors, scalars, trailing spaces and unknown fields', () => {
    const header =
      '{"e":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},' +
      '"s":{"dtype":"U8","shape":[],"data_offsets":[0,1],"note":["x",{"a":[-1.5e-3,true,false,null,""]}]}} \n\r\t'
    const { tensors, metadata } = decodeSafetensors(file(header, Uint8Array.of(9)))
    expect(tensors.get('e')).toEqual({ shape: [0, 3], dataType: 'F32', data: new Float32Array(0) })
    expect(tensors.get('s')).toEqual({ shape: [], dataType: 'U8', data: Uint8Array.of(9) })
    expect(metadata.size).toBe(0)
    expect(decodeSafetensors(file('{}')).tensors.size).toBe(0)
  })

  it('arrays in each other, as deep as the reference reader', () => {
    expect(decodeSafetensors(nested(125)).tensors.size).toBe(1)
  })

  it('as many names as it allows', () => {
    const { metadata } = decodeSafetensors(file(`{"__metadata__":{${manyTexts(250_000)}}}`))
    expect(metadata.size).toBe(250_000)
  })

  it('names that JavaScript objects give a meaning to', () => {
    const names = ['__proto__', 'constructor', 'toString', '10', '', 'ä"\\\n']
    const tensors = names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }] as const)
    const read = decodeSafetensors(encodeSafetensors(tensors, new Map(names.map((name) => [name, name]))))
    for (const [i, name] of names.entries()) {
      expect(read.tensors.get(name)!.data[0]).toBe(i)
      expect(read.metadata.get(name)).toBe(name)
    }
    expect(read.tensors.size).toBe(names.length)
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })

  it('strings in the metadata that look like JSON', () => {
    const metadata = { config: '{"a":1.5,"a":[-2e3,"]"]}', other: '\\"{' }
    expect(decodeSafetensors(encodeSafetensors([], metadata)).metadata).toEqual(
      new Map(Object.entries(metadata)),
    )
  })
})

describe('encodeSafetensors', () => {
  it('writes larger elements first, then by name, in a header padded to 8 bytes', () => {
    const bytes = encodeSafetensors(
      new Map<string, { shape: number[]; data: Float32Array | Float64Array | Uint8Array }>([
        ['u', { shape: [3], data: Uint8Array.of(1, 2, 3) }],
        ['b', { shape: [1], data: Float32Array.of(1) }],
        ['a', { shape: [2, 1], data: Float32Array.of(2, 3) }],
        ['d', { shape: [], data: Float64Array.of(4) }],
      ]),
      { k: 'v' },
    )
    const length = new DataView(bytes.buffer).getUint32(0, true)
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + length))
    expect(length % 8).toBe(0)
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"k":"v"},"d":{"dtype":"F64","shape":[],"data_offsets":[0,8]},' +
        '"a":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},' +
        '"b":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},' +
        '"u":{"dtype":"U8","shape":[3],"data_offsets":[20,23]}}',
    )
    expect([...decodeSafetensors(bytes).tensors.keys()]).toEqual(['d', 'a', 'b', 'u'])
  })

  it('refuses a shape that its array does not fill, a name given twice, and the name of the metadata', () => {
    const data = Float32Array.of(1)
    expect(() => encodeSafetensors([['a', { shape: [2], data }]])).toThrow(
      /"a": expected 2 elements for shape \[2\], got 1/,
    )
    const twice = ['a', { shape: [1], data }] as const
    expect(() => encodeSafetensors([twice, twice])).toThrow(RangeError)
    expect(() => encodeSafetensors([['__metadata__', { shape: [1], data }]])).toThrow(RangeError)
    expect(() => encodeSafetensors([['\ud800', { shape: [1], data }]])).toThrow(/well-formed Unicode/)
  })

  it('writes the bytes of the reference writer: every type, in its order, names sorted as UTF-8', () => {
    const bytes = readFileSync('test/fixtures/safetensors/reference.safetensors')
    const { tensors, metadata } = decodeSafetensors(bytes)
    expect(
      [...tensors.values()].map(({ dataType }) => dataType).filter((type, i, all) => type !== all[i - 1]),
    ).toEqual(['U64', 'I64', 'F64', 'F32', 'U32', 'I32', 'BF16', 'F16', 'U16', 'I16', 'I8', 'U8', 'BOOL'])
    const shuffled = [...tensors].sort(([a], [b]) => (a < b ? 1 : -1))
    expect(Buffer.from(encodeSafetensors(shuffled, metadata)).equals(bytes)).toBe(true)
  })

  it('rounds to F16 and BF16 as PyTorch does, subnormals, halves and overflow among them', () => {
    const { tensors } = decodeSafetensors(readFileSync('test/fixtures/safetensors/rounding.safetensors'))
    const x = tensors.get('x')!
    for (const [name, dataType] of [['f16', 'F16'] as const, ['bf16', 'BF16'] as const]) {
      const again = decodeSafetensors(encodeSafetensors([[name, { ...x, dataType }]])).tensors.get(name)!
      expect(again).toEqual(tensors.get(name))
      expect(again.data.some((value) => value === Infinity)).toBe(true)
      expect(again.data.some((value) => value !== 0 && Math.abs(Number(value)) < 2 ** -14)).toBe(true)
    }
  })

  it('rounds doubles once: not to float32 first', () => {
    // Halfway between two numbers of the format but for a bit that float32 has not: in two steps, it would go down.
    const data = Float64Array.of(
      1 + 2 ** -11 + 2 ** -40,
      1 + 2 ** -8 + 2 ** -40,
      Number.NaN,
      -(2 ** -25) * 1.000001,
    )
    const read = (dataType: 'F16' | 'BF16') =>
      decodeSafetensors(encodeSafetensors([['a', { shape: [4], data, dataType }]])).tensors.get('a')!.data
    expect(read('F16')).toEqual(Float32Array.of(1 + 2 ** -10, 1 + 2 ** -8, Number.NaN, -(2 ** -24)))
    expect(read('BF16')[1]).toBe(1 + 2 ** -7)
  })

  it('stores floats as other floats and bytes as truths, and refuses what would change', () => {
    const data = Float64Array.of(0.1)
    const read = (dataType: StoredType, array: StoredArray) =>
      decodeSafetensors(encodeSafetensors([['a', { shape: [1], data: array, dataType }]])).tensors.get('a')
    expect(read('F32', data)).toEqual({ shape: [1], dataType: 'F32', data: Float32Array.of(0.1) })
    expect(read('F64', Float32Array.of(0.5))!.data).toEqual(Float64Array.of(0.5))
    expect(read('BOOL', Uint8Array.of(1))).toEqual({ shape: [1], dataType: 'BOOL', data: Uint8Array.of(1) })
    expect(() => read('I32', data)).toThrow(
      /"a": expected elements that can be stored as I32, got Float64Array/,
    )
    expect(() => read('F32', Int32Array.of(1))).toThrow(TypeError)
    expect(() => read('U16', Float32Array.of(1))).toThrow(TypeError)
    expect(() => read('F8_E4M3' as StoredType, data)).toThrow(TypeError)
  })
})
