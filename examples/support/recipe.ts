/** What a recipe is: `examples/NAME/index.ts` exports one as `recipe`, and `npm run recipe -- NAME` runs it. */
import type { ParseArgsConfig } from 'node:util'
import type { Section } from 'lstm-native/report'

export interface Recipe {
  name: string
  title: string
  /** What the figures are compared with, and where that comes from; shown in the report. */
  comparisons: readonly { name: string; value: string; source: string }[]
  /** Files or folders it reads below the data folder; they must be there before anything runs. */
  files: readonly string[]
  /** Its own options beside the common ones, each with a line about it for the help. */
  options?: Readonly<Record<string, RecipeOption>>
  /** Default of --seeds; none: 1. */
  seeds?: readonly number[]
  /**
   * @throws {OptionError} if an option cannot be
   * @throws {DataError} if the data cannot be learned from, before training starts
   */
  run(context: RecipeContext): Promise<Outcome>
}

export type RecipeOption = NonNullable<ParseArgsConfig['options']>[string] & { description: string }

export type OptionValues = Readonly<
  Record<string, string | boolean | readonly (string | boolean)[] | undefined>
>

export interface RecipeContext {
  /** Whether small extracts of the data and little training must do: less than 15 s in all, for tests. */
  quick: boolean
  seeds: readonly number[]
  /** Values of the recipe's own options; see `options.ts`. */
  options: OptionValues
  /** The path of a data file: below --data, or with --quick below examples/data. @throws {DataError} if it is missing */
  path(file: string): string
  /** Tells how it goes, a line at a time, on the standard error. */
  log(line: string): void
  /** Aborted by Ctrl-C; to be handed to `fit`. */
  signal: AbortSignal
}

export interface Outcome {
  figures: readonly Figure[]
  /** Sections of the report, between the figures and the comparisons. */
  report: readonly Section[]
}

/** A figure, judged if it has a bound. With --quick a recipe gives the bounds that its little training can meet. */
export interface Figure {
  name: string
  value: number
  unit?: string
  atMost?: number
  atLeast?: number
  /** Digits behind the point when shown; default 2. */
  digits?: number
}

/** Whether a figure is a number within its bounds. */
export function isMet({ value, atMost, atLeast }: Figure): boolean {
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? Number.NEGATIVE_INFINITY)
}

/** A number as the figure shows it. */
export function shown({ unit, digits = 2 }: Figure, value: number): string {
  return `${value.toFixed(digits)}${unit === undefined ? '' : ` ${unit}`}`
}

/** The bounds of a figure in words; empty if it has none. */
export function boundOf(figure: Figure): string {
  const { atMost, atLeast } = figure
  const bounds = [
    atLeast !== undefined && `at least ${shown(figure, atLeast)}`,
    atMost !== undefined && `at most ${shown(figure, atMost)}`,
  ]
  return bounds.filter(Boolean).join(', ')
}
