/** WAV files, decoded by wav-file-decoder, with errors that say which file is wrong, and how. */
import { readFile } from 'node:fs/promises'
import { decodeWavFile } from 'wav-file-decoder'
import { DataError, refuseUnknownOptions } from '../errors.ts'

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
 * @throws {DataError} if the file cannot be read, is no WAV file, is cut off, of another encoding, rate or number of channels,
 *   or empty
 */
export async function readWav(path: string, expected: WaveExpected = {}): Promise<Wave> {
  refuseUnknownOptions('readWav', expected, ['sampleRate', 'channels'])
  const fail = (
    wanted: string,
    got: string,
    { fix, cause }: { fix?: string; cause?: unknown } = {},
  ): never => {
    throw new DataError({ file: path, expected: wanted, got, fix, cause })
  }
  const bytes = await readFile(path).catch((cause: Error) => fail('a WAV file', cause.message, { cause }))
  let wave: Wave
  try {
    const { sampleRate, channelData } = decodeWavFile(bytes)
    wave = { sampleRate, channels: channelData }
  } catch (cause) {
    const got = `${bytes.length} bytes that are none: ${(cause as Error).message}`
    return fail('a whole WAV file of 8, 16 or 24 bits or float32', got, {
      cause,
      fix: 'fetch or convert it again',
    })
  }
  const { sampleRate, channels } = wave
  if (expected.sampleRate !== undefined && sampleRate !== expected.sampleRate) {
    fail(`${expected.sampleRate} samples a second`, String(sampleRate), { fix: 'resample it' })
  }
  if (expected.channels !== undefined && channels.length !== expected.channels) {
    fail(`channels: ${expected.channels}`, String(channels.length), { fix: 'mix or split them' })
  }
  if (channels[0].length === 0) fail('samples', 'none')
  return wave
}
