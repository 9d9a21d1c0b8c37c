/**
 * The journal of a search: a line of JSON that says what is searched, then one for each finished trial, on the disk before the
 * next trial begins. A search that was killed goes on from it: what is in it is not done again, and nothing is lost but the
 * trial under way.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { DataError } from '../../errors.ts'

/** How a trial ended, or nothing: its loss is null where it failed. */
export interface TrialRecord {
  /** The number of the configuration. */
  trial: number
  rung: number
  loss: number | null
  seconds: number
  /** Why it failed. */
  error?: string
}

export class Journal {
  /** Those of the runs before. */
  readonly records: readonly TrialRecord[]
  readonly #file: number
  #position: number

  private constructor(file: number, position: number, records: readonly TrialRecord[]) {
    this.#file = file
    this.#position = position
    this.records = records
  }

  /**
   * Opens a journal, or begins it; one of another search that has no trial yet is begun anew.
   *
   * @param header what is searched, as plain data: a journal of another search is refused
   * @throws {DataError} if the file is no journal, or that of another search
   */
  static open(path: string, header: object): Journal {
    const first = JSON.stringify(header)
    const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
    // What stands behind the last line break was cut off when the process died: that trial is run again.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1)
    const [found, ...lines] = whole.split('\n').slice(0, -1)
    const goesOn = found === first
    const isCutOff = found === undefined && (first.startsWith(text) || text.startsWith(kind))
    const isEmpty = found !== undefined && lines.length === 0 && headerOf(found) !== undefined
    if (!goesOn && !isCutOff && !isEmpty) refuse(path, found ?? text, first)
    const records = goesOn ? lines.map((line, i) => recordOf(path, line, i + 2)) : []
    const file = openSync(path, text === '' ? 'w' : 'r+')
    const position = goesOn ? Buffer.byteLength(whole) : 0
    ftruncateSync(file, position)
    const journal = new Journal(file, position, records)
    if (!goesOn) journal.#write(first)
    return journal
  }

  append(record: TrialRecord): void {
    this.#write(JSON.stringify(record))
  }

  close(): void {
    closeSync(this.#file)
  }

  #write(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    writeSync(this.#file, bytes, 0, bytes.length, this.#position)
    this.#position += bytes.length
    fsyncSync(this.#file)
  }
}

/** How the first line begins. */
const kind = '{"kind":"tune 1"'

function headerOf(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith(kind)) return undefined
  try {
    const { subject, ...header } = JSON.parse(line)
    return { ...header, ...subject }
  } catch {
    // Told by who has asked, with the place.
    return undefined
  }
}

function refuse(path: string, found: string, expected: string): never {
  const odd = headerOf(found)
  const [got, due] = odd === undefined ? [] : differences(odd, headerOf(expected)!)
  throw new DataError({
    file: path,
    place: 'line 1',
    expected: odd ? `the journal of this search, with ${due}` : 'the journal of a search',
    got: odd ? `that of another, with ${got}` : JSON.stringify(found.slice(0, 80)),
    fix: 'name another journal, or remove this one to begin anew',
  })
}

/** What of two headers is not the same, as text. */
function differences(...headers: readonly Record<string, unknown>[]): string[] {
  const names = [...new Set(headers.flatMap(Object.keys))].filter(
    (name) => JSON.stringify(headers[0][name]) !== JSON.stringify(headers[1][name]),
  )
  return headers.map((header) =>
    names.map((name) => `${name} ${JSON.stringify(header[name]) ?? 'by default'}`).join(', '),
  )
}

function recordOf(path: string, line: string, number: number): TrialRecord {
  try {
    const record: TrialRecord = JSON.parse(line)
    if (Number.isInteger(record.trial) && Number.isInteger(record.rung)) return record
  } catch {
    // Told below, with the place.
  }
  throw new DataError({
    file: path,
    place: `line ${number}`,
    expected: 'a finished trial as JSON',
    got: JSON.stringify(line.slice(0, 80)),
    fix: 'remove the journal to begin anew',
  })
}
