/**
 * Spoken digits of the Free Spoken Digit Dataset: files DIGIT_SPEAKER_INDEX.wav, 8,000 samples a second. Its own split tests on
 * indices 0 to 4.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DataError } from 'lstm-native'
import { readWav } from 'lstm-native/audio'

export const sampleRate = 8000
/** Recordings below it are for the test. */
const testIndices = 5

export interface Recording {
  digit: number
  speaker: string
  samples: Float32Array
}

/** The recordings of each speaker. */
export type Voices = ReadonlyMap<string, readonly Recording[]>

/** @throws {DataError} if a file is no such recording, or a part has none */
export async function readVoices(folder: string): Promise<{ train: Voices; test: Voices }> {
  const names = readdirSync(folder).sort()
  const [train, test] = [new Map<string, Recording[]>(), new Map<string, Recording[]>()]
  for (const name of names) {
    const file = join(folder, name)
    const [, digit, speaker, index] = /^(\d+)_([a-z]+)_(\d+)\.wav$/.exec(name) ?? []
    if (digit === undefined) {
      throw new DataError({
        file,
        expected: 'a name such as 7_jackson_12.wav',
        got: `"${name}"`,
        fix: 'move it elsewhere',
      })
    }
    if (Number(digit) > 9) {
      throw new DataError({
        file,
        expected: 'a digit from 0 to 9 as label',
        got: digit,
        fix: 'correct its name',
      })
    }
    const { channels } = await readWav(file, { sampleRate, channels: 1 })
    const part = Number(index) < testIndices ? test : train
    if (!part.has(speaker)) part.set(speaker, [])
    part.get(speaker)!.push({ digit: Number(digit), speaker, samples: channels[0] })
  }
  for (const [part, voices, indices] of [
    ['training', train, `of ${testIndices} and more`],
    ['the test', test, `below ${testIndices}`],
  ] as const) {
    if (voices.size > 0) continue
    throw new DataError({
      file: folder,
      expected: `recordings for ${part}, with indices ${indices}`,
      got: `none among ${names.length} files`,
      fix: 'copy the whole data set',
    })
  }
  return { train, test }
}
