/** Runs a recipe of this folder: `npm run recipe -- NAME [options]`; `-- --list` shows all with their last figures. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { BackendError, backend, DataError, FileFormatError } from 'lstm-native'
import { InputError } from 'lstm-native/forecast'
import { helpOf, pathIn, readCommand } from './support/command.ts'
import { OptionError } from './support/options.ts'
import type { Recipe } from './support/recipe.ts'
import { reportOf } from './support/report.ts'
import { figureLines, readResults, recordResult, resultOf, runText } from './support/results.ts'

const names = readdirSync(import.meta.dirname)
  .filter((name) => existsSync(`${import.meta.dirname}/${name}/index.ts`))
  .sort()

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--list') return list(args)
  if (!names.includes(name)) {
    const found = name === undefined ? 'no name was given' : `there is no recipe "${name}"`
    console.error(`recipe: ${found}; choose one of: ${names.join(', ')}; or --list`)
    return 2
  }
  const interruption = new AbortController()
  const onInterrupt = () => interruption.abort()
  process.once('SIGINT', onInterrupt)
  try {
    return await run(await recipeNamed(name), args, interruption.signal)
  } catch (error) {
    if (interruption.signal.aborted) {
      console.error(`${name}: interrupted; nothing was written`)
      return 130
    }
    const isOfTheUser = [OptionError, DataError, InputError, FileFormatError, BackendError].some(
      (type) => error instanceof type,
    )
    if (!isOfTheUser) throw error
    console.error(`${name}: ${(error as Error).message}`)
    return 2
  } finally {
    process.removeListener('SIGINT', onInterrupt)
  }
}

async function run(recipe: Recipe, args: readonly string[], signal: AbortSignal): Promise<number> {
  const command = readCommand(recipe, args)
  if (command.help) {
    process.stdout.write(helpOf(recipe))
    return 0
  }
  const path = pathIn(command)
  for (const file of recipe.files) path(file)
  const { quick, seeds, options, check, json, report, isStandard } = command
  const log = (line: string) => console.error(line)
  const { name, target, threads } = backend()
  log(`${recipe.title}, on ${name} ${target}, threads: ${threads}`)

  const began = performance.now()
  const outcome = await recipe.run({ quick, seeds, options, path, log, signal })
  const seconds = (performance.now() - began) / 1000
  const result = resultOf({ title: recipe.title, figures: outcome.figures, seeds, seconds })
  mkdirSync(dirname(report), { recursive: true })
  writeFileSync(report, await reportOf(recipe, command, outcome, result))
  if (!quick && isStandard) recordResult(recipe.name, result)

  if (json) console.log(JSON.stringify({ name: recipe.name, quick, report, ...result }, undefined, 2))
  else console.log(`${figureLines(result.figures).join('\n')}\n${runText(result)}\nreport: ${report}`)
  return check && !result.met ? 1 : 0
}

async function list(args: readonly string[]): Promise<number> {
  const results = readResults()
  if (args.includes('--json')) {
    const entries = names.map((name) => [name, results[name] ?? null])
    console.log(JSON.stringify(Object.fromEntries(entries), undefined, 2))
    return 0
  }
  for (const name of names) {
    const { title } = await recipeNamed(name)
    const result = results[name]
    const lines = result ? [...figureLines(result.figures), runText(result)] : ['not run yet']
    console.log(`${name}: ${title}\n${lines.map((line) => `    ${line}\n`).join('')}`)
  }
  return 0
}

async function recipeNamed(name: string): Promise<Recipe> {
  return ((await import(`./${name}/index.ts`)) as { recipe: Recipe }).recipe
}

process.exitCode = await main(process.argv.slice(2))
