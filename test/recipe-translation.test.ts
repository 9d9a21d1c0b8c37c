/** Data that the translation recipe refuses before it trains. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readPairs } from '../examples/translation/data.ts'

const folder = mkdtempSync(join(tmpdir(), 'translation-'))
mkdirSync(join(folder, 'translation'))
afterAll(() => rmSync(folder, { recursive: true }))

const path = (file: string) => join(folder, file)

function pairs(de: string | Uint8Array, en: string | Uint8Array) {
  writeFileSync(path('translation/train.de'), de)
  writeFileSync(path('translation/train.en'), en)
  return readPairs('train', path)
}

describe('pairs of sentences', () => {
  it('are read line by line', () => {
    expect(pairs('ein hund .\nzwei hunde .\n', 'a dog .\ntwo dogs .\n')).toEqual({
      source: ['ein hund .', 'zwei hunde .'],
      target: ['a dog .', 'two dogs .'],
    })
  })

  it.each([
    [
      'of differing number',
      'eins\nzwei\n',
      'one\n',
      /train\.en, line 2: expected 2 lines.* got 1; .*cut off/,
    ],
    [
      'cut off',
      'eins\nzwei\n',
      'one\ntw',
      /train\.en, line 2: expected a line feed at the end, got a line that breaks off/,
    ],
    [
      'in another encoding',
      'eins\n',
      Uint8Array.of(0x6f, 0xfc, 0x0a),
      /train\.en, line 1: expected text in UTF-8/,
    ],
    ['empty', '', 'one\n', /train\.de: expected lines of text, got an empty file/],
    ['with an empty line', 'eins\n \n', 'one\ntwo\n', /train\.de, line 2: expected text, got an empty line/],
  ])('%s are refused, with the file and the line', (_, de, en, message) => {
    expect(() => pairs(de, en)).toThrow(message)
  })
})
