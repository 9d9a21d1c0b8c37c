/**
 * The `lstm` command: its commands and exit codes. 0: done. 1: something unexpected failed. 2: what was asked for cannot be
 * done, said in one line. The options of each command are in commands/, its work in a file of its own, loaded when it is
 * called for.
 */
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { BackendError, DataError, FileFormatError, NonFiniteLossError } from '../errors.ts'
import { InputError } from '../forecast/input-error.ts'
import { addEvaluate, addPredict } from './commands/forecasting.ts'
import { addConvert, addInspect } from './commands/models.ts'
import { addServe } from './commands/serve.ts'
import { addTrain, addTune } from './commands/training.ts'
import { printable, type Terminal } from './terminal.ts'

/** Runs the command. @returns the exit code */
export async function run(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await programFor(terminal).parseAsync([...argv], { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    // Commander has shown the help, for want of a command.
    if (error instanceof CommanderError && error.code === 'commander.help') return 2
    if (error instanceof CommanderError) return refuse(terminal, error.message.replace(/^error: /, ''))
    const isBadInput = [InputError, DataError, FileFormatError, BackendError].some(
      (type) => error instanceof type,
    )
    if (isBadInput) return refuse(terminal, (error as Error).message)
    terminal.error(`lstm: ${explain(error as Error)}\n`)
    return 1
  }
}

/** A failure that is nobody's mistake is shown with its stack; the others explain themselves. */
function explain(error: Error): string | undefined {
  if (error.name === 'AbortError') return 'interrupted before the first epoch ended; nothing was saved'
  return error instanceof NonFiniteLossError ? error.message : error.stack
}

function refuse(terminal: Terminal, message: string): number {
  terminal.error(`lstm: ${printable(message.trim().replace(/\s*\n\s*/g, ' '))}\n`)
  return 2
}

const commands: readonly [
  name: string,
  description: string,
  add: (command: Command, terminal: Terminal) => void,
][] = [
  [
    'train',
    'Train a forecaster on series, evaluate it on what was held out, save it and write a report.',
    addTrain,
  ],
  ['tune', 'Search width, layers, learning rate and dropout of a forecaster by successive halving.', addTune],
  [
    'evaluate',
    'Score a forecaster on the end of a series, beside persistence and seasonal naive forecasts.',
    addEvaluate,
  ],
  ['predict', 'Forecast the rows after the end of a series; prints CSV.', addPredict],
  ['inspect', 'Show layers, tensors, inputs and metadata of a model file of any format.', addInspect],
  ['convert', 'Write a model in another format, which the ending of the new name tells.', addConvert],
  ['serve', 'Serve models over HTTP, by the Open Inference Protocol (KServe v2).', addServe],
]

function programFor(terminal: Terminal): Command {
  const program = new Command('lstm')
    .description(
      'Train LSTM forecasters on CSV files, use them; look into model files, convert and serve them.',
    )
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.error(text),
      // `run` reports errors, in one line.
      outputError: () => {},
    })
    .version(createRequire(import.meta.url)('../../package.json').version)
    .exitOverride()
    .addHelpText('after', '\nlstm COMMAND --help tells a command’s options and shows examples.')
  for (const [name, description, add] of commands)
    add(program.command(name).description(description).allowExcessArguments(false), terminal)
  return program
}
