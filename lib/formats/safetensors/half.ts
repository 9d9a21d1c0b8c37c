/** 16-bit floats: IEEE 754 binary16 (F16) and bfloat16 (BF16), to float32 and, rounded, back. */

/** `exponent` is that of the smallest normal number; `fraction` the bits after the point; `infinity` its bits. */
interface HalfFormat {
  fraction: number
  exponent: number
  infinity: number
}

const binary16: HalfFormat = { fraction: 10, exponent: -14, infinity: 0x7c00 }
const brain: HalfFormat = { fraction: 7, exponent: -126, infinity: 0x7f80 }

/** Adding and subtracting this rounds a double in [0, 2⁵¹) to an integer, halves to the even one. */
const toInteger = 2 ** 52

/** 2^(fraction - e) for each exponent e that a rounded number may have, by the exponent bits of a double. */
function scales({ fraction, exponent }: HalfFormat): Float64Array {
  return Float64Array.from({ length: 2048 }, (_, bits) => 2 ** (fraction - Math.max(bits - 1023, exponent)))
}

/** The bits of each number, rounded once, straight from the precision it has, to the nearest, halves to even. */
function narrow(numbers: Float32Array | Float64Array, format: HalfFormat): Uint16Array {
  const { fraction, exponent, infinity } = format
  const scale = scales(format)
  const double = new Float64Array(1)
  const words = new Uint32Array(double.buffer)
  const bits = new Uint16Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    double[0] = numbers[i]
    const sign = (words[1] >>> 16) & 0x8000
    const e = (words[1] >>> 20) & 0x7ff
    if (e === 0x7ff) {
      // A NaN keeps no payload: the quiet NaN, as other writers have it.
      bits[i] = Number.isNaN(numbers[i]) ? infinity | (1 << (fraction - 1)) : sign | infinity
      continue
    }
    // The significand with its leading one; where it rounds up to the next power of two, the carry is right as it is.
    const significand = Math.abs(numbers[i]) * scale[e] + toInteger - toInteger
    const magnitude = significand + Math.max(e - 1023 - exponent, 0) * 2 ** fraction
    bits[i] = sign | Math.min(magnitude, infinity)
  }
  return bits
}

export function toBinary16(numbers: Float32Array | Float64Array): Uint16Array {
  return narrow(numbers, binary16)
}

export function toBrainFloat(numbers: Float32Array | Float64Array): Uint16Array {
  return narrow(numbers, brain)
}

let values: Float32Array | undefined

/** The value of each binary16 number. */
export function fromBinary16(halves: Uint16Array): Float32Array {
  values ??= Float32Array.from({ length: 65536 }, (_, bits) => numberOf(bits))
  const numbers = new Float32Array(halves.length)
  for (let i = 0; i < halves.length; i++) numbers[i] = values[halves[i]]
  return numbers
}

function numberOf(bits: number): number {
  const sign = bits >> 15 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction
}

/** bfloat16 is the upper half of a float32. */
export function fromBrainFloat(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length)
  for (let i = 0; i < halves.length; i++) words[i] = halves[i] << 16
  return new Float32Array(words.buffer)
}
