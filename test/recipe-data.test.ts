/** What recipes refuse of their data, before any training: files cut off, in another encoding, empty, with labels that cannot be. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DataError } from 'lstm-native'
import { afterAll, describe, expect, it } from 'vitest'
import { readSentences } from '../examples/sentiment/data.ts'

const folder = mkdtempSync(join(tmpdir(), 'recipe-data-'))
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0

/** A file with these contents. */
function file(contents: string | Uint8Array): string {
  const path = join(folder, `file-${files++}`)
  writeFileSync(path, contents)
  return path
}

/** The DataError that `read` throws, without the folder in its message. */
function refusal(read: () => unknown): string {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(DataError)
    return (error as DataError).message.replaceAll(/\S*\/file-\d+/g, 'FILE')
  }
  throw new Error('expected a DataError, got none')
}

describe('sentiment', () => {
  const good = 'dull .\nloud .\n'
  const read = (negative: string | Uint8Array, positive: string | Uint8Array = good) =>
    readSentences({ negative: file(negative), positive: file(positive) })

  it('reads sentences and labels, U+0085 being no end of a line', () => {
    const { texts, labels } = read('dull\u0085 .\nloud .\n', 'caf\u00e9 society is warm\nfunny\n')
    expect(texts).toEqual(['dull\u0085 .', 'loud .', 'caf\u00e9 society is warm', 'funny'])
    expect(labels).toEqual([0, 0, 1, 1])
  })

  it.each<[string, string | Uint8Array, string]>([
    [
      'Latin-1',
      Buffer.from('loud .\ncaf\u00e9 society\n', 'latin1'),
      'FILE, line 2: expected text in UTF-8, got bytes that are none: "caf\u00e9 society" if they are Latin-1; ' +
        'convert the file: iconv -f latin1 -t utf-8 FILE',
    ],
    [
      'a file cut off within a sentence',
      'dull .\nlou',
      'FILE, line 2: expected a line feed at the end, got a line that breaks off; fetch the file again',
    ],
    [
      'a file cut off within a character',
      Buffer.from('dull .\ncaf\u00e9').subarray(0, -1),
      'FILE, line 2: expected a line feed at the end, got a line that breaks off; fetch the file again',
    ],
    [
      'a file cut off between sentences',
      'dull .\n',
      'FILE: expected 2 sentences, as many as FILE has, got 1; fetch the file again',
    ],
    ['an empty line', 'dull .\n \n', 'FILE, line 2: expected text, got an empty line'],
    ['an empty file', '', 'FILE: expected lines of text, got an empty file'],
  ])('refuses %s', (_, contents, message) => {
    expect(refusal(() => read(contents))).toBe(message)
  })
})
