/** WAV files, decoded by wav-file-decoder, with errors that say which file is wrong, and how. */
import { readFile } from 'node:fs/promises'
import { decodeWavFile } from 'wav-file-decoder'
import { FileFormatError, refuseUnknownOptions } from '../errors.ts'

export interface Wave {
  /** Samples a second. */
  sampleRate: number
  /** The samples of each channel, in [-1, 1]. */
  channels: Float32Array[]
}

/** What a file must be; what is left out may be anything. */
export interface WaveExpected {
  sampleRate?: number
  channels?: number
}

/**
 * Reads a WAV file of 8, 16 or 24 bits or of float32.
 *
 * @param path
 * @param expected another sample rate or number of channels is an error: nothing is resampled or mixed
 * @throws {FileFormatError} with code `NoFile`, `BadAudio` if the file is no WAV, cut off or of another encoding, `SampleRate`,
 *   `Channels`, or `Empty` if it holds no sample
 */
export async function readWav(path: string, expected: WaveExpected = {}): Promise<Wave> {
  refuseUnknownOptions('readWav', expected, ['sampleRate', 'channels'])
  const fail = (code: string, message: string, cause?: unknown): never => {
    throw new FileFormatError(`readWav: ${path}: ${message}`, { code, path, cause })
  }
  const bytes = await readFile(path).catch((error: Error) =>
    fail('NoFile', `cannot be read: ${error.message}`, error),
  )
  let wave: Wave
  try {
    const { sampleRate, channelData } = decodeWavFile(bytes)
    wave = { sampleRate, channels: channelData }
  } catch (error) {
    const { message } = error as Error
    return fail(
      'BadAudio',
      `expected a whole WAV file of PCM or float32 samples, got ${bytes.length} bytes: ${message}`,
      error,
    )
  }
  const { sampleRate, channels } = wave
  if (expected.sampleRate !== undefined && sampleRate !== expected.sampleRate) {
    fail(
      'SampleRate',
      `expected ${expected.sampleRate} samples a second, got ${sampleRate}; resample it first`,
    )
  }
  if (expected.channels !== undefined && channels.length !== expected.channels) {
    fail('Channels', `expected channels: ${expected.channels}, got ${channels.length}; mix them first`)
  }
  if (channels[0].length === 0) fail('Empty', 'holds no sample')
  return wave
}
