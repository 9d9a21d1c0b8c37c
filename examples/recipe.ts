/** Runs a recipe of this folder: `npm run recipe -- NAME [options]`; `-- --list` shows all with their last figures. */
import { main } from './support/main.ts'

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
})
