/** Runs a recipe of this folder: `npm run recipe -- NAME [options]`. */
import { existsSync, readdirSync } from 'node:fs'

const [name, ...args] = process.argv.slice(2)
const recipes = readdirSync(import.meta.dirname).filter((each) =>
  existsSync(`${import.meta.dirname}/${each}/index.ts`),
)

if (recipes.includes(name)) {
  const { main } = (await import(`./${name}/index.ts`)) as {
    main: (args: readonly string[]) => Promise<number>
  }
  process.exitCode = await main(args)
} else {
  const found = name === undefined ? 'no name was given' : `there is no recipe "${name}"`
  console.error(`recipe: ${found}; choose one of: ${recipes.join(', ')}`)
  process.exitCode = 2
}
