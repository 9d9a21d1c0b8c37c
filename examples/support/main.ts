/** The command `npm run recipe -- NAME [options]`; `-- --list` shows all with their last figures. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BackendError, backend, DataError, FileFormatError } from 'lstm-native'
import { InputError } from 'lstm-native/forecast'
import { helpOf, pathIn, readCommand } from './command.ts'
import { OptionError } from './options.ts'
import type { Recipe } from './recipe.ts'
import { reportOf } from './report.ts'
import { figureLines, readResults, recordResult, resultOf, runText } from './results.ts'

const examples = dirname(import.meta.dirname)
const names = readdirSync(examples)
  .filter((name) => existsSync(join(examples, name, 'index.ts')))
  .sort()

/** Where the command writes: results, and beside them what it has to say. */
export interface Terminal {
  out(text: string): void
  error(text: string): void
}

/** @returns the exit code */
export async function main([name, ...args]: readonly string[], terminal: Terminal): Promise<number> {
  const refuse = (line: string) => terminal.error(`${line}\n`)
  if (name === '--list') return list(args, terminal)
  if (!names.includes(name)) {
    const found = name === undefined ? 'no name was given' : `there is no recipe "${name}"`
    refuse(`recipe: ${found}; choose one of: ${names.join(', ')}; or --list`)
    return 2
  }
  const interruption = new AbortController()
  const onInterrupt = () => interruption.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return await run(await recipeNamed(name), args, { signal: interruption.signal, terminal })
  } catch (error) {
    if (interruption.signal.aborted) {
      refuse(`${name}: interrupted; nothing was written`)
      return 130
    }
    const isOfTheUser = [OptionError, DataError, InputError, FileFormatError, BackendError].some(
      (type) => error instanceof type,
    )
    if (!isOfTheUser) throw error
    refuse(`${name}: ${(error as Error).message}`)
    return 2
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

async function run(
  recipe: Recipe,
  args: readonly string[],
  { signal, terminal }: { signal: AbortSignal; terminal: Terminal },
): Promise<number> {
  const command = readCommand(recipe, args)
  if (command.help) {
    terminal.out(helpOf(recipe))
    return 0
  }
  const path = pathIn(command)
  for (const file of recipe.files) path(file)
  const { quick, seeds, options, check, json, report, isStandard } = command
  const log = (line: string) => terminal.error(`${line}\n`)
  const { name, target, threads } = backend()
  log(`${recipe.title}, on ${name} ${target}, threads: ${threads}`)

  const began = performance.now()
  const outcome = await recipe.run({ quick, seeds, options, path, log, signal })
  const seconds = (performance.now() - began) / 1000
  const result = resultOf({ title: recipe.title, figures: outcome.figures, seeds, seconds })
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, await reportOf(recipe, command, outcome, result))
  if (!quick && isStandard) recordResult(recipe.name, result)

  if (json) terminal.out(`${JSON.stringify({ name: recipe.name, quick, report, ...result }, undefined, 2)}\n`)
  else terminal.out(`${figureLines(result.figures).join('\n')}\n${runText(result)}\nreport: ${report}\n`)
  return check && !result.met ? 1 : 0
}

async function list(args: readonly string[], terminal: Terminal): Promise<number> {
  const results = readResults()
  if (args.includes('--json')) {
    const entries = names.map((name) => [name, results[name] ?? null])
    terminal.out(`${JSON.stringify(Object.fromEntries(entries), undefined, 2)}\n`)
    return 0
  }
  for (const name of names) {
    const { title } = await recipeNamed(name)
    const result = results[name]
    const lines = result ? [...figureLines(result.figures), runText(result)] : ['not run yet']
    terminal.out(`${name}: ${title}\n${lines.map((line) => `    ${line}\n`).join('')}\n`)
  }
  return 0
}

async function recipeNamed(name: string): Promise<Recipe> {
  return ((await import(`../${name}/index.ts`)) as { recipe: Recipe }).recipe
}
