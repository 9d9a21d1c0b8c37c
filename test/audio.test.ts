/** WAV files and log-mel features: PyTorch's numbers, and files that are not what they should be. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type LogMelOptions, logMel, melFilters, readWav } from '../lib/audio/index.ts'
import { DataError } from '../lib/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-audio-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Case {
  options: LogMelOptions
  samples: number[]
  filters: number[]
  shape: number[]
  features: number[]
}
const cases: Case[] = JSON.parse(readFileSync(new URL('fixtures/audio/audio.json', import.meta.url), 'utf8'))

/** A WAV file as its specification has it: RIFF, fmt, data. */
function wav({
  samples = [0, 16384, -32768, 32767],
  rate = 8000,
  channels = 1,
  format = 1,
  bits = 16,
}: {
  samples?: number[]
  rate?: number
  channels?: number
  format?: number
  bits?: number
} = {}): Buffer {
  const bytes = bits / 8
  const file = Buffer.alloc(44 + samples.length * bytes)
  file.write('RIFF', 0)
  file.writeUInt32LE(file.length - 8, 4)
  file.write('WAVEfmt ', 8)
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(format, 20)
  file.writeUInt16LE(channels, 22)
  file.writeUInt32LE(rate, 24)
  file.writeUInt32LE(rate * channels * bytes, 28)
  file.writeUInt16LE(channels * bytes, 32)
  file.writeUInt16LE(bits, 34)
  file.write('data', 36)
  file.writeUInt32LE(samples.length * bytes, 40)
  for (const [i, sample] of samples.entries()) {
    if (format === 3) file.writeFloatLE(sample, 44 + i * 4)
    else file.writeIntLE(sample, 44 + i * bytes, bytes)
  }
  return file
}

function written(bytes: Uint8Array, name = 'a.wav'): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

describe('readWav', () => {
  it('reads 16 bits, 24 bits and floats, channel by channel', async () => {
    const { sampleRate, channels } = await readWav(written(wav()))
    expect(sampleRate).toBe(8000)
    expect(channels.map((each) => [...each])).toEqual([[0, 0.5, -1, Math.fround(32767 / 32768)]])
    const stereo = await readWav(written(wav({ channels: 2, rate: 44100 })), {
      channels: 2,
      sampleRate: 44100,
    })
    expect(stereo.channels.map((each) => [...each])).toEqual([
      [0, -1],
      [0.5, Math.fround(32767 / 32768)],
    ])
    const fine = await readWav(written(wav({ bits: 24, samples: [4194304, -1] })))
    expect([...fine.channels[0]]).toEqual([0.5, Math.fround(-1 / 8388608)])
    const float = await readWav(written(wav({ bits: 32, format: 3, samples: [0.25, -0.75] })))
    expect([...float.channels[0]]).toEqual([0.25, -0.75])
  })

  const whole = wav()
  it.each<[string, Buffer, object, RegExp]>([
    ['cut off in its samples', whole.subarray(0, 49), {}, /a\.wav: expected a whole WAV file.*got 49 bytes/],
    ['cut off in its header', whole.subarray(0, 30), {}, /expected a whole WAV file/],
    ['empty', Buffer.alloc(0), {}, /got 0 bytes/],
    ['text', Buffer.from('no sound, but words enough to read'), {}, /RIFF/],
    ['of another encoding', wav({ format: 6, bits: 8, samples: [1] }), {}, /formatCode=6/],
    [
      'of another rate',
      whole,
      { sampleRate: 16000 },
      /expected 16000 samples a second, got 8000; resample it/,
    ],
    ['of other channels', whole, { channels: 2 }, /expected channels: 2, got 1/],
    ['without samples', wav({ samples: [] }), {}, /expected samples, got none/],
  ])('refuses a file that is %s', async (_, bytes, expected, message) => {
    const path = written(bytes)
    const failure = await readWav(path, expected).catch((error) => error)
    expect(failure).toBeInstanceOf(DataError)
    expect(failure).toMatchObject({ file: path, message: expect.stringMatching(message) })
  })

  it('names a file that is not there, and options it does not know', async () => {
    await expect(readWav(join(folder, 'none.wav'))).rejects.toThrow(
      /none\.wav: expected a WAV file, got ENOENT/,
    )
    await expect(readWav('x', { rate: 8000 } as object)).rejects.toThrow('readWav: unknown option "rate"')
  })
})

describe('logMel', () => {
  it.each(
    cases.map((one) => [JSON.stringify(one.options), one] as const),
  )('PyTorch computes the same with %s', (_, one) => {
    const features = logMel(Float64Array.from(one.samples), one.options)
    expect(features.shape).toEqual(one.shape)
    // Results are float32, up to about 16 in size.
    for (const [i, value] of one.features.entries())
      expect(Math.abs(features.data[i] - value)).toBeLessThan(1e-6)
    const filters = melFilters(one.options).flatMap((row) => [...row])
    expect(filters.length).toBe(one.filters.length)
    for (const [i, value] of one.filters.entries()) expect(Math.abs(filters[i] - value)).toBeLessThan(1e-12)
  })

  it('has frames of 25 ms, 10 ms apart, by default, and hears a tone in its band', () => {
    const sampleRate = 8000
    const tone = Float32Array.from({ length: 4000 }, (_, n) =>
      Math.sin((2 * Math.PI * 1000 * n) / sampleRate),
    )
    const features = logMel(tone, { sampleRate, bands: 20 })
    expect(features.shape).toEqual([51, 20])
    expect([...features.data]).toEqual([
      ...logMel(tone, { sampleRate, bands: 20, windowLength: 200, hopLength: 80, fftSize: 256 }).data,
    ])
    const middle = [...features.data.subarray(25 * 20, 26 * 20)]
    const edges = melFilters({ sampleRate, bands: 20 })
    const loudest = middle.indexOf(Math.max(...middle))
    // 1000 Hz is bin 32 of 256.
    expect(edges[loudest][32]).toBe(Math.max(...edges.map((row) => row[32])))
    const silence = logMel(new Float32Array(4000), { sampleRate, bands: 20 })
    expect(silence.data.every((value) => value === Math.fround(Math.log(1e-6)))).toBe(true)
  })

  it('refuses what it cannot do', () => {
    const samples = new Float32Array(1000)
    const of = (options: Partial<LogMelOptions>) => () => logMel(samples, { sampleRate: 8000, ...options })
    expect(of({ fftSize: 300 })).toThrow('expected fftSize to be a power of 2, got 300')
    expect(of({ fftSize: 128 })).toThrow('expected fftSize to be an integer of at least 200, got 128')
    expect(of({ bands: 120 })).toThrow(/band 0, 0 to \d+ Hz, lies between two frequencies/)
    expect(of({ highFrequency: 5000 })).toThrow('expected highFrequency in [')
    expect(of({ hop: 3 } as object)).toThrow('unknown option "hop"')
    expect(() => logMel(samples.subarray(0, 128), { sampleRate: 8000 })).toThrow(
      'expected more than 128 samples, half of fftSize, got 128',
    )
  })
})
