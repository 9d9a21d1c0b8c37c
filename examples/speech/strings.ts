/** Strings of 3 to 5 digits, joined from the recordings of one speaker without a pause, and what the network sees of them. */
import { type DataSet, dataSet, type Random, type Tensor, tensor } from 'lstm-native'
import { logMel } from 'lstm-native/audio'
import { type Recording, sampleRate, type Voices } from './recordings.ts'

export const bands = 40

export interface DigitString {
  digits: readonly number[]
  speaker: string
  samples: Float32Array
}

export function drawString(voices: Voices, random: Random): DigitString {
  const speakers = [...voices.keys()]
  const speaker = speakers[random.integer(speakers.length)]
  const recordings = voices.get(speaker)!
  const drawn = Array.from(
    { length: 3 + random.integer(3) },
    () => recordings[random.integer(recordings.length)],
  )
  return { speaker, digits: drawn.map(({ digit }) => digit), samples: joined(drawn) }
}

function joined(recordings: readonly Recording[]): Float32Array {
  const samples = new Float32Array(recordings.reduce((sum, each) => sum + each.samples.length, 0))
  let at = 0
  for (const each of recordings) {
    samples.set(each.samples, at)
    at += each.samples.length
  }
  return samples
}

/** Log-mel features less their mean, over their deviation, band by band. */
export class Ear {
  readonly #mean: Float64Array
  readonly #deviation: Float64Array

  /** @param voices whose recordings say what mean and deviation are */
  constructor(voices: Voices) {
    const [sums, squares] = [new Float64Array(bands), new Float64Array(bands)]
    let frames = 0
    for (const { samples } of [...voices.values()].flat()) {
      const { data } = features(samples)
      for (const [i, value] of data.entries()) {
        sums[i % bands] += value
        squares[i % bands] += value * value
      }
      frames += data.length / bands
    }
    this.#mean = sums.map((sum) => sum / frames)
    this.#deviation = squares.map((square, m) => Math.sqrt(square / frames - this.#mean[m] ** 2))
  }

  /** [T, bands], 100 frames a second */
  hear(samples: Float32Array): Tensor {
    const { shape, data } = features(samples)
    const scaled = Float32Array.from(
      data,
      (value, i) => (value - this.#mean[i % bands]) / this.#deviation[i % bands],
    )
    return tensor(scaled, { shape })
  }
}

function features(samples: Float32Array): Tensor {
  return logMel(samples, { sampleRate, bands, lowFrequency: 60 })
}

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine']

/** The digits in words. */
export function textOf(digits: readonly number[]): string {
  return digits.map((digit) => words[digit]).join(' ')
}

/** Class 0 is the blank of CTC. */
const classOf = (digit: number) => digit + 1
export const digitOf = (label: number) => label - 1

/** Strings as the network sees them, and as it is to spell them. */
export function stringSet(strings: readonly DigitString[], ear: Ear): DataSet {
  const y = strings.map(({ digits }) => digits.map(classOf))
  const x = strings.map(({ samples }) => ear.hear(samples))
  return dataSet({ x, y, targetLengths: y.map(({ length }) => length) }, { yType: 'int32' })
}
