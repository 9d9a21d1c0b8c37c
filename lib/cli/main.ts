#!/usr/bin/env node
/** The `lstm` command's entry: runs it on this process's arguments and streams. */
import { run } from './program.ts'
import { processTerminal } from './terminal.ts'

// Whoever reads the output may have enough of it: `lstm inspect model.safetensors | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await run(process.argv.slice(2), processTerminal)
