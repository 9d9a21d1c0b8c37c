/** Options of the command line as numbers. */
import type { OptionValues } from './recipe.ts'

/** An option that cannot be; the command ends with code 2 on it. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
}

/** The integer that an option holds. @throws {OptionError} if it holds none of at least `minimum` */
export function integerOption(options: OptionValues, name: string, minimum = 1): number {
  return readInteger(`--${name}`, String(options[name] ?? ''), minimum)
}

/** The integers that an option holds, separated by commas. */
export function integersOption(options: OptionValues, name: string, minimum = 1): number[] {
  return readIntegers(`--${name}`, String(options[name] ?? ''), minimum)
}

export function readIntegers(name: string, text: string, minimum: number): number[] {
  return text.split(',').map((part) => readInteger(name, part, minimum))
}

function readInteger(name: string, text: string, minimum: number): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= minimum) return value
  throw new OptionError(`${name}: expected an integer of at least ${minimum}, got "${text}"`)
}
