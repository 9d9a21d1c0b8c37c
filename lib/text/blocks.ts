/** Text files read in blocks, strictly as UTF-8, whatever their size. */
import { type FileHandle, open } from 'node:fs/promises'
import { DataError, refuseUnknownOptions } from '../errors.ts'
import type { Vocabulary } from './vocabulary.ts'

const blockBytes = 1 << 16

/** Bytes [start, end) of a file. */
export interface Span {
  start: number
  end: number
}

/** @throws {DataError} if it cannot be opened */
export async function openText(path: string): Promise<FileHandle> {
  try {
    return await open(path)
  } catch (cause) {
    const got = (cause as Error).message
    throw new DataError({ file: path, expected: 'a text file that can be read', got, cause })
  }
}

/**
 * The text of a part of a file, a block at a time, each ending where `lastCut` says.
 *
 * @throws {DataError} if it is not UTF-8, naming the byte, or ends before the part does
 */
export async function* blocksOf(
  file: FileHandle,
  path: string,
  { start, end }: Span,
  lastCut: (text: string) => number,
): AsyncGenerator<{ text: string; start: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const buffer = Buffer.alloc(Math.min(blockBytes, Math.max(end - start, 1)))
  let rest = ''
  let restStart = start
  for (let at = start; at < end; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at)
    if (bytesRead === 0) throw cutOff(path, { expected: end, got: at })
    const bytes = buffer.subarray(0, bytesRead)
    let text: string
    try {
      text = rest + decoder.decode(bytes, { stream: at + bytesRead < end })
    } catch (cause) {
      throw notUtf8(path, bytes, at, cause)
    }
    if (at === 0 && text.startsWith('\ufeff')) {
      text = text.slice(1)
      restStart = 3
    }
    at += bytesRead
    const cut = at < end ? lastCut(text) : text.length
    if (cut > 0) yield { text: text.slice(0, cut), start: restStart }
    rest = text.slice(cut)
    restStart = at - Buffer.byteLength(rest)
  }
}

/** @internal For a file that has become shorter since it was looked at. */
export function cutOff(file: string, { expected, got }: { expected: number; got: number }): DataError {
  const fix = 'the file was cut off since it was opened: bring the whole file'
  return new DataError({ file, expected: `${expected} bytes or more`, got: String(got), fix })
}

function notUtf8(file: string, bytes: Buffer, at: number, cause: unknown): DataError {
  const lenient = new TextDecoder('utf-8').decode(bytes)
  const offset = Buffer.byteLength(lenient.slice(0, Math.max(lenient.indexOf('\ufffd'), 0)))
  const byte = bytes[offset].toString(16).toUpperCase().padStart(2, '0')
  return new DataError({
    file,
    place: `byte ${at + offset}`,
    expected: 'text in UTF-8',
    got: `0x${byte}`,
    fix: 'convert the file, from Latin-1 for instance: iconv -f latin1 -t utf-8',
    cause,
  })
}

/** The tokens of a block; the error for one that is not in the vocabulary names the file and the byte where the block begins. */
export function encodeBlock(
  path: string,
  vocabulary: Vocabulary,
  { text, start }: { text: string; start: number },
): Int32Array {
  try {
    return vocabulary.encode(text)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const place = `in the text from byte ${start} on`
    throw new DataError({
      file: path,
      place,
      expected: 'tokens of the vocabulary',
      got: cause.message,
      cause,
    })
  }
}

/**
 * The first place from `position` on where a text may be cut: the start of a character, or for other vocabularies than those of
 * characters, ASCII white space.
 */
export async function cutFrom(
  file: FileHandle,
  position: number,
  { size, kind }: { size: number; kind: Vocabulary['kind'] },
): Promise<number> {
  if (position <= 0 || position >= size) return Math.min(Math.max(position, 0), size)
  const isCut = kind === 'characters' ? isCharacterStart : isSpace
  const buffer = Buffer.alloc(1 << 12)
  for (let at = position; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
    const found = buffer.subarray(0, bytesRead).findIndex(isCut)
    if (found >= 0) return at + found
    if (bytesRead === 0) break
    at += bytesRead
  }
  return size
}

function isCharacterStart(byte: number): boolean {
  return (byte & 0xc0) !== 0x80
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}

/**
 * The lines of a text file, one at a time: for vocabularies of files that need not fit in memory.
 *
 * @param options.keepEnds whether a line has its line feed, which a vocabulary of characters needs; default false
 * @throws {DataError} while iterating, if the file cannot be read or is not UTF-8
 */
export async function* textLines(path: string, options: { keepEnds?: boolean } = {}): AsyncGenerator<string> {
  refuseUnknownOptions('textLines', options, ['keepEnds'])
  const file = await openText(path)
  try {
    const { size } = await file.stat()
    for await (const { text } of blocksOf(file, path, { start: 0, end: size }, afterLastLine)) {
      for (const line of linesWithEnds(text)) yield options.keepEnds ? line : withoutEnd(line)
    }
  } finally {
    await file.close()
  }
}

/** Where blocks of whole lines end: a line longer than a block waits for its end. */
export function afterLastLine(text: string): number {
  return text.lastIndexOf('\n') + 1
}

export function linesWithEnds(text: string): string[] {
  return text.split(/(?<=\n)/)
}

export function withoutEnd(line: string): string {
  return line.replace(/\r?\n$/, '')
}
