/** What the help of several commands has in common. */
import { Option } from 'commander'

export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`
}

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON document instead of text')
}

/** The argument of the commands that use a forecaster. */
export const forecasterFile = 'a file that lstm train or lstm tune wrote'
