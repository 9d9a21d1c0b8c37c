/** Log-mel features: how loud a signal is in bands of pitch, frame by frame. The transform is fourier-transform's. */
import { fft } from 'fourier-transform'
import { refuseUnknownOptions, requireInteger, requireNumber } from '../errors.ts'
import { Tensor } from '../tensor.ts'

export interface LogMelOptions {
  /** Samples a second. */
  sampleRate: number
  /** Bands; default 40. */
  bands?: number
  /** Samples from one frame to the next; default 10 ms. */
  hopLength?: number
  /** Samples of a frame; default 25 ms. */
  windowLength?: number
  /** A power of 2, at least windowLength; default the smallest. */
  fftSize?: number
  /** Hz, the lower end of the first band; default 0. */
  lowFrequency?: number
  /** Hz, the upper end of the last band; default half the sample rate. */
  highFrequency?: number
  /** Added to the power before the logarithm; default 1e-6. */
  floor?: number
}

type CompleteOptions = Required<LogMelOptions>

/**
 * ln(floor + mel·|STFT|²): frames centred at multiples of `hopLength`, the signal mirrored at its ends, a periodic Hann window,
 * power, triangular filters as `melFilters`. Agrees with torchaudio.transforms.MelSpectrogram of the same sizes in its
 * defaults, but for the logarithm, and with librosa's with htk and norm=None.
 *
 * @param samples more than half of fftSize
 * @returns [1 + ⌊samples / hopLength⌋, bands]
 * @throws {RangeError} if an option is out of range, a band is too narrow to hold a frequency, or the signal too short to mirror
 */
export function logMel(samples: Float32Array | Float64Array, options: LogMelOptions): Tensor {
  const complete = completeOptions(options)
  const { bands, hopLength, windowLength, fftSize, floor } = complete
  const half = fftSize / 2
  if (samples.length <= half) {
    throw new RangeError(
      `logMel: expected more than ${half} samples, half of fftSize, got ${samples.length}; lengthen the signal or shorten the window`,
    )
  }
  const filters = filtersOf(complete)
  const offset = (fftSize - windowLength) >> 1
  const window = Float64Array.from(
    { length: windowLength },
    (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / windowLength),
  )
  const frames = 1 + Math.floor(samples.length / hopLength)
  const output = new Float32Array(frames * bands)
  const frame = new Float64Array(fftSize)
  for (let t = 0; t < frames; t++) {
    const start = t * hopLength - half + offset
    for (let n = 0; n < windowLength; n++)
      frame[offset + n] = window[n] * samples[mirrored(start + n, samples.length)]
    const [re, im] = fft(frame)
    for (const [m, { first, weights }] of filters.entries()) {
      let power = 0
      for (let k = 0; k < weights.length; k++) power += weights[k] * (re[first + k] ** 2 + im[first + k] ** 2)
      output[t * bands + m] = Math.log(floor + power)
    }
  }
  return new Tensor([frames, bands], output)
}

/**
 * Triangular filters on the mel scale of HTK, 2595·log₁₀(1 + f / 700), each reaching 1 at its middle, evenly spaced from
 * `lowFrequency` to `highFrequency`.
 *
 * @returns [bands][fftSize / 2 + 1]
 */
export function melFilters(options: LogMelOptions): Float64Array[] {
  const complete = completeOptions(options)
  return filtersOf(complete).map(({ first, weights }) => {
    const row = new Float64Array(complete.fftSize / 2 + 1)
    row.set(weights, first)
    return row
  })
}

/** A filter's weights from frequency `first` on; those before and after are 0. */
interface Filter {
  first: number
  weights: Float64Array
}

function filtersOf({ sampleRate, bands, fftSize, lowFrequency, highFrequency }: CompleteOptions): Filter[] {
  const mel = (hertz: number) => 2595 * Math.log10(1 + hertz / 700)
  const [low, high] = [mel(lowFrequency), mel(highFrequency)]
  const edges = Array.from(
    { length: bands + 2 },
    (_, i) => 700 * (10 ** ((low + ((high - low) * i) / (bands + 1)) / 2595) - 1),
  )
  const spacing = sampleRate / fftSize
  return Array.from({ length: bands }, (_, m) => {
    const [left, middle, right] = edges.slice(m, m + 3)
    const first = Math.floor(left / spacing) + 1
    const weights: number[] = []
    for (let k = first; k * spacing < right && k <= fftSize / 2; k++) {
      const frequency = k * spacing
      weights.push(Math.min((frequency - left) / (middle - left), (right - frequency) / (right - middle)))
    }
    if (weights.length === 0) {
      throw new RangeError(
        `logMel: band ${m}, ${left.toFixed(0)} to ${right.toFixed(0)} Hz, lies between two frequencies of a transform of ` +
          `${fftSize} samples; take fewer bands or a larger fftSize`,
      )
    }
    return { first, weights: Float64Array.from(weights) }
  })
}

/** An index beyond either end, mirrored at the first or the last sample. */
function mirrored(i: number, length: number): number {
  return i < 0 ? -i : i < length ? i : 2 * (length - 1) - i
}

function completeOptions(options: LogMelOptions): CompleteOptions {
  refuseUnknownOptions('logMel', options, [
    'sampleRate',
    'bands',
    'hopLength',
    'windowLength',
    'fftSize',
    'lowFrequency',
    'highFrequency',
    'floor',
  ])
  const { sampleRate, bands = 40, floor = 1e-6, lowFrequency = 0 } = options
  requireNumber('logMel', 'sampleRate', sampleRate, { low: Number.MIN_VALUE })
  const { hopLength = Math.round(0.01 * sampleRate), windowLength = Math.round(0.025 * sampleRate) } = options
  requireInteger('logMel', 'bands', bands)
  requireInteger('logMel', 'hopLength', hopLength)
  requireInteger('logMel', 'windowLength', windowLength, 2)
  const { fftSize = 2 ** Math.ceil(Math.log2(windowLength)), highFrequency = sampleRate / 2 } = options
  requireInteger('logMel', 'fftSize', fftSize, windowLength)
  if (!Number.isInteger(Math.log2(fftSize)))
    throw new RangeError(`logMel: expected fftSize to be a power of 2, got ${fftSize}`)
  requireNumber('logMel', 'floor', floor, { low: Number.MIN_VALUE })
  requireNumber('logMel', 'lowFrequency', lowFrequency, { low: 0, high: sampleRate / 2, open: true })
  requireNumber('logMel', 'highFrequency', highFrequency, {
    low: lowFrequency + Number.EPSILON,
    high: sampleRate / 2,
  })
  return { sampleRate, bands, hopLength, windowLength, fftSize, lowFrequency, highFrequency, floor }
}
