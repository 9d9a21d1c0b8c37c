/** Text files of the recipes, a sentence a line. */
import { readFileSync } from 'node:fs'
import { DataError } from 'lstm-native'

/**
 * The lines of a file in UTF-8. Only a line feed ends one: U+0085 and their like are characters.
 *
 * @throws {DataError} if the file is empty, cut off within a line or in another encoding, or a line is empty
 */
export function readLines(file: string): string[] {
  const bytes = readFileSync(file)
  if (bytes.length === 0) throw new DataError({ file, expected: 'lines of text', got: 'an empty file' })
  const lines: string[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start)
    const place = `line ${lines.length + 1}`
    if (end < 0) {
      const got = 'a line that breaks off'
      throw new DataError({
        file,
        place,
        expected: 'a line feed at the end',
        got,
        fix: 'fetch the file again',
      })
    }
    const line = decode(bytes.subarray(start, end), { file, place })
    if (line.trim() === '') throw new DataError({ file, place, expected: 'text', got: 'an empty line' })
    lines.push(line)
    start = end + 1
  }
  return lines
}

function decode(bytes: Buffer, where: { file: string; place: string }): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    // What is no UTF-8 is mostly Latin-1, as rt-polarity once was.
    throw new DataError({
      ...where,
      expected: 'text in UTF-8',
      got: `bytes that are none: ${JSON.stringify(bytes.toString('latin1').trim())} if they are Latin-1`,
      fix: `convert the file: iconv -f latin1 -t utf-8 ${where.file}`,
      cause,
    })
  }
}
