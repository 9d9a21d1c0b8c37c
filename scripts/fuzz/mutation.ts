/** What fast-check draws: which sample, and how it is changed. Each format reads these numbers as changes of its own kind. */
import fc from 'fast-check'

/** One change. */
export interface Mutation {
  /** Which of a format's kinds of change. */
  kind: number
  /** Which of its places. */
  where: number
  /** A second place, or how often. */
  other: number
  /** A number to put there. */
  number: bigint
  /** A text to put there. */
  text: string
}

/** Files of one input by name; the first is the one that is read, the others lie beside it. */
export type Files = ReadonlyMap<string, Uint8Array>

export interface Plan {
  sample: number
  mutations: readonly Mutation[]
}

/** Where sizes, signs and types end. */
const numbers = [
  -(2n ** 63n),
  -(2n ** 31n),
  -2n,
  -1n,
  ...Array.from({ length: 18 }, (_, n) => BigInt(n)),
  ...[6, 7, 8, 10, 15, 16, 20, 24, 30, 31, 32, 33, 40, 52, 53, 62, 63, 64].flatMap((n) => {
    const power = 2n ** BigInt(n)
    return [power - 1n, power, power + 1n]
  }),
]

const texts = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'C:\\secret',
  'a\0b',
  'NaN',
  '-1',
  '18446744073709551617',
  '\ud800',
  'LSTM',
  'Sequential',
  'Lambda',
  'float64',
  'F64',
  'BOOL',
  'I64',
  'relu',
  'same',
  'x'.repeat(5000),
]

const place = fc.noBias(fc.nat())

const mutation: fc.Arbitrary<Mutation> = fc.record(
  {
    kind: fc.noBias(fc.nat(0xffff)),
    where: place,
    other: place,
    number: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...numbers) },
      fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
    ),
    text: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...texts) }, fc.string({ maxLength: 12 })),
  },
  { noNullPrototype: true },
)

/** Mostly one change: what more of them do is mostly done by the first. */
export const plan: fc.Arbitrary<Plan> = fc.record(
  {
    sample: place,
    mutations: fc.oneof(
      { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 1 }) },
      fc.array(mutation, { minLength: 2, maxLength: 5 }),
    ),
  },
  { noNullPrototype: true },
)

export function asUint64(number: bigint): bigint {
  return BigInt.asUintN(64, number)
}

/** Changes of bytes of no meaning: flips, numbers, cuts, repetitions, pieces from elsewhere. */
export function mutateBytes(bytes: Uint8Array, { kind, where, other, number }: Mutation): Uint8Array {
  const at = bytes.length === 0 ? 0 : where % bytes.length
  const to = bytes.length === 0 ? 0 : other % bytes.length
  const length = 1 + (other % 64)
  const copy = bytes.slice()
  const view = new DataView(copy.buffer)
  switch (kind % 8) {
    case 0:
      if (copy.length > 0) copy[at] ^= 1 << (other % 8)
      return copy
    case 1:
      if (copy.length > 0) copy[at] = Number(number & 255n)
      return copy
    case 2:
      if (at + 4 <= copy.length) view.setUint32(at, Number(number & 0xffff_ffffn), true)
      return copy
    case 3:
      if (at + 8 <= copy.length) view.setBigUint64(at, asUint64(number), true)
      return copy
    case 4:
      return copy.subarray(0, at)
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(to, to + length), bytes.subarray(at))
    case 6:
      copy.copyWithin(at, to, to + length)
      return copy
    default:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length))
  }
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}
