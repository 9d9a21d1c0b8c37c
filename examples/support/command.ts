/** The command line that all recipes share: its options, help, and where the data are. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { DataError } from 'lstm-native'
import { OptionError, readIntegers } from './options.ts'
import type { OptionValues, Recipe, RecipeOption } from './recipe.ts'

const root = resolve(import.meta.dirname, '../..')

/** Options of every recipe. */
const common = {
  quick: {
    type: 'boolean',
    default: false,
    description: 'small extracts of the data and little training: seconds, for tests',
  },
  check: {
    type: 'boolean',
    default: false,
    description: 'exit with 1 if a figure misses its bound',
  },
  json: { type: 'boolean', default: false, description: 'the result as JSON' },
  data: { type: 'string', description: 'the folder of the data (default: ../shared/data)' },
  seeds: { type: 'string', description: 'a training run for each: 1,2,3' },
  report: { type: 'string', description: 'the HTML report (default: out/recipes/NAME.html)' },
  help: { type: 'boolean', short: 'h', default: false, description: 'shows this' },
} as const satisfies Record<string, RecipeOption>

export interface Command {
  quick: boolean
  check: boolean
  json: boolean
  help: boolean
  seeds: readonly number[]
  report: string
  data: string
  /** Values of the recipe's own options. */
  options: OptionValues
  /** Whether seeds and options are the recipe's: such a run is recorded, if it is not quick. */
  isStandard: boolean
}

/** @throws {OptionError} if the arguments are not options of the recipe */
export function readCommand(recipe: Recipe, args: readonly string[]): Command {
  const { quick, check, json, help, data, seeds, report, ...options } = parse(recipe, args)
  const isOwn = (name: string) => options[name] !== recipe.options?.[name].default
  return {
    quick: quick === true,
    check: check === true,
    json: json === true,
    help: help === true,
    data: quick ? join(root, 'examples/data') : resolve(String(data ?? join(root, '../shared/data'))),
    seeds:
      seeds === undefined ? defaultSeeds(recipe, quick === true) : readIntegers('--seeds', String(seeds), 0),
    report: resolve(String(report ?? join(root, `out/recipes/${recipe.name}${quick ? '.quick' : ''}.html`))),
    options,
    isStandard: seeds === undefined && !Object.keys(options).some(isOwn),
  }
}

/** One training run must do for the quick form. */
function defaultSeeds({ seeds = [1] }: Recipe, quick: boolean): readonly number[] {
  return quick ? seeds.slice(0, 1) : seeds
}

function parse(recipe: Recipe, args: readonly string[]): OptionValues {
  try {
    return parseArgs({ args: [...args], options: { ...recipe.options, ...common } }).values
  } catch (error) {
    throw new OptionError((error as Error).message, { cause: error })
  }
}

export function helpOf(recipe: Recipe): string {
  const lines = Object.entries<RecipeOption>({ ...recipe.options, ...common }).map(
    ([name, { type, default: value, description }]) => {
      const flag = `--${name}${type === 'string' ? ' VALUE' : ''}`
      const fallback = type === 'string' && value !== undefined ? ` (default: ${value})` : ''
      return `  ${flag.padEnd(20)} ${description}${fallback}`
    },
  )
  return `${recipe.title}\n\nUsage: npm run recipe -- ${recipe.name} [options]\n\n${lines.join('\n')}\n`
}

/** The way to a data file. @throws {DataError} if it is not there */
export function pathIn({ data, quick }: Command): (file: string) => string {
  return (file) => {
    const path = join(data, file)
    if (existsSync(path)) return path
    const fix = quick
      ? 'restore it from the repository'
      : `name the folder that holds ${file} with --data DIR, or run with --quick`
    throw new DataError({ file: path, expected: 'a data file', got: 'none', fix })
  }
}
