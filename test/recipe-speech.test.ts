/** The recordings and strings of the recipe `speech`: what is wrong with them is said before training starts. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataError, Random } from 'lstm-native'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { readVoices } from '../examples/speech/recordings.ts'
import { drawString, Ear, stringSet, textOf } from '../examples/speech/strings.ts'

const given = fileURLToPath(new URL('../examples/data/speech/recordings', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'recipe-speech-'))
const folder = join(home, 'recordings')
afterAll(() => rmSync(home, { recursive: true }))

describe('recordings', () => {
  beforeEach(() => {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    for (const name of readdirSync(given).filter((each) => /^[01]_/.test(each))) {
      cpSync(join(given, name), join(folder, name))
    }
  })

  const file = () => join(folder, readdirSync(folder).sort()[0])

  it('are split by index', async () => {
    const { train, test } = await readVoices(folder)
    expect([...train.keys()]).toEqual([...test.keys()])
    const count = (voices: typeof train) => [...voices.values()].flat().length
    const isTest = (name: string) => Number(/_(\d+)\.wav/.exec(name)![1]) < 5
    const names = readdirSync(folder)
    expect(count(test)).toBe(names.filter(isTest).length)
    expect(count(train)).toBe(names.filter((name) => !isTest(name)).length)
  })

  it.each<[string, () => void, RegExp]>([
    [
      'a file that is cut off',
      () => writeFileSync(file(), readFileSync(file()).subarray(0, 999)),
      /0_\w+_0\.wav: expected a whole WAV file.*got 999 bytes/,
    ],
    [
      'another sample rate',
      () => {
        const bytes = readFileSync(file())
        bytes.writeUInt32LE(16000, 24)
        writeFileSync(file(), bytes)
      },
      /0_\w+_0\.wav: expected 8000 samples a second, got 16000/,
    ],
    [
      'a label out of range',
      () => renameSync(file(), join(folder, '12_theo_0.wav')),
      /expected a digit from 0 to 9 as label, got 12/,
    ],
    [
      'a file of another kind',
      () => writeFileSync(join(folder, 'notes.txt'), ''),
      /expected a name such as .*got "notes\.txt"/,
    ],
    [
      'no recordings for the test',
      () => {
        for (const name of readdirSync(folder)) if (/_[01]\.wav$/.test(name)) rmSync(join(folder, name))
      },
      /expected recordings for the test, with indices below 5, got none among \d+ files/,
    ],
    [
      'nothing at all',
      () => {
        for (const name of readdirSync(folder)) rmSync(join(folder, name))
      },
      /expected recordings for training, .*got none among 0 files/,
    ],
  ])('are refused with %s', async (_, spoil, message) => {
    spoil()
    const failure = await readVoices(folder).catch((error) => error)
    expect(failure).toBeInstanceOf(DataError)
    expect(failure.message).toMatch(message)
  })
})

describe('strings', () => {
  it('join three to five recordings of one speaker, the same for a seed, and are spelled by classes above the blank', async () => {
    const { train } = await readVoices(given)
    const ear = new Ear(train)
    const random = new Random(3)
    const strings = Array.from({ length: 40 }, () => drawString(train, random))
    const again = new Random(3)
    expect(strings.map(() => drawString(train, again).digits)).toEqual(strings.map(({ digits }) => digits))
    expect(new Set(strings.map(({ digits }) => digits.length))).toEqual(new Set([3, 4, 5]))
    const { x, y, lengths, targetLengths } = stringSet(strings, ear).batch([0, 1])
    expect(x.shape).toEqual([2, Math.max(...lengths!), 40])
    expect([...lengths!]).toEqual(
      strings.slice(0, 2).map(({ samples }) => 1 + Math.floor(samples.length / 80)),
    )
    const spelled = (y.toArray() as number[][]).map((row, b) =>
      row.slice(0, targetLengths![b]).map((each) => each - 1),
    )
    expect(spelled).toEqual(strings.slice(0, 2).map(({ digits }) => digits))
    expect(textOf([7, 0])).toBe('seven zero')
  })
})
