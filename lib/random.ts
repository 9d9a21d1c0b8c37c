/**
 * Randomness as counter-based streams: number i of seed s is a hash of (s, i), so a stream's whole state is two
 * integers, any element can be computed alone, and the native kernels produce the same bits.
 */

/** 32-bit mixing function "lowbias32" (Wellons, hash-prospector). */
export function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

/** The two keys that `hash` derives from a seed. */
export function keysOf(seed: number): [number, number] {
  return [mix(seed), mix(seed ^ 0x9e3779b9)]
}

/**
 * A uniform 32-bit integer from a 32-bit seed and index: mix(mix(i + k1) ^ k2). Adding a mixed key before the first
 * round and xoring another before the second keeps neighbouring seeds from giving permutations of one sequence.
 */
export function hash(seed: number, index: number): number {
  const [k1, k2] = keysOf(seed)
  return mix(mix((index + k1) | 0) ^ k2)
}

/** The whole state of a stream, as stored in checkpoints. */
export interface RandomState {
  seed: number
  counter: number
}

/** A stream of random numbers, fixed by its seed. */
export class Random {
  #seed: number
  #counter = 0

  /** @param seed any integer; its low 32 bits count */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed))
      throw new RangeError(`Random: expected seed to be an integer, got ${seed}`)
    this.#seed = seed >>> 0
  }

  get state(): RandomState {
    return { seed: this.#seed, counter: this.#counter }
  }

  set state({ seed, counter }: RandomState) {
    this.#seed = seed
    this.#counter = counter
  }

  /** A uniform integer in [0, 2³²). */
  uint32(): number {
    const value = hash(this.#seed, this.#counter)
    this.#counter = (this.#counter + 1) >>> 0
    return value
  }

  /** A uniform number in [low, high), with 53 random bits. */
  uniform(low = 0, high = 1): number {
    const bits = (this.uint32() >>> 5) * 2 ** 26 + (this.uint32() >>> 6)
    return low + (high - low) * (bits / 2 ** 53)
  }

  /** A normal number by Box & Muller (1958); one of the pair is thrown away so that the state stays two integers. */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform())
  }

  /** A uniform integer in [0, bound), by rejection, so that no value is favoured. */
  integer(bound: number): number {
    const limit = 2 ** 32 - (2 ** 32 % bound)
    let value = this.uint32()
    while (value >= limit) value = this.uint32()
    return value % bound
  }

  /** Shuffles in place (Fisher & Yates) and returns the array. */
  shuffle<T extends { [index: number]: unknown; length: number }>(items: T): T {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i + 1)
      const swapped = items[i]
      items[i] = items[j]
      items[j] = swapped
    }
    return items
  }
}

let current = new Random(0)

/** The stream that initialisation and dropout draw from where no seed is given. It starts at seed 0. */
export function ambientRandom(): Random {
  return current
}

/** Restarts the ambient stream: two programs that begin with the same seed draw the same numbers. */
export function seedAll(seed: number): void {
  current = new Random(seed)
}

/** Runs `body` with `random` as the ambient stream. */
export function withRandom<T>(random: Random, body: () => T): T {
  const outer = current
  current = random
  try {
    return body()
  } finally {
    current = outer
  }
}
