/**
 * The `lstm` command: its commands, options and exit codes. 0: done. 1: something unexpected failed. 2: what was asked
 * for cannot be done, said in one line. Each command's work is in a file of its own, loaded when it is called for.
 */
import { createRequire } from 'node:module'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { BackendError, DataError, FileFormatError, NonFiniteLossError } from '../errors.ts'
import { InputError } from '../forecast/input-error.ts'
import { defaults, logLevels } from '../serve/options.ts'
import type { Range } from '../training/tuning/space.ts'
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

  const command = (name: string, description: string) =>
    program.command(name).description(description).allowExcessArguments(false)
  const json = () => new Option('--json', 'print one JSON document instead of text')

  command(
    'train',
    'Train a forecaster on a series, evaluate it on what was held out, save it and write a report.',
  )
    .argument('<csv>', 'a CSV file with a header, rows in the order of time')
    .requiredOption('-t, --target <column>', 'the column to forecast')
    .requiredOption('-n, --horizon <rows>', 'how many rows to forecast at once', integer())
    .option(
      '-i, --input <rows>',
      'how many rows the model looks at (default: from season and horizon)',
      integer(),
    )
    .option('-c, --covariates <columns>', 'further columns the model looks at, separated by commas', list)
    .option('--date <column>', 'the column of dates (default: the first that holds nothing else)')
    .option('--missing-indicator', 'tell the model which values were missing')
    .option(
      '-p, --period <rows>',
      'season of the naive forecast, or several: 24,168 (default: detected)',
      integers,
    )
    .option(
      '-e, --epochs <count>',
      'passes over the training part, at most (default: 20, or 1000 steps)',
      integer(),
    )
    .option(
      '--patience <epochs>',
      'epochs without a better validation loss before training ends (default: 0.4 of all)',
      integer(),
    )
    .option('--hidden <units>', 'width of the LSTM', integer(), 32)
    .option('--layers <count>', 'LSTM layers', integer(), 1)
    .option('--dropout <share>', 'dropped between layers', number({ low: 0, below: 1 }), 0)
    .option(
      '--batch-size <windows>',
      'windows in a training step (default: 64, fewer for short series)',
      integer(),
    )
    .option('--learning-rate <rate>', 'of Adam', number({ above: 0 }), 0.003)
    .addOption(
      new Option('--quantiles <shares>', 'quantiles to forecast')
        .argParser(quantiles)
        .default([0.1, 0.5, 0.9], '0.1,0.5,0.9'),
    )
    .option(
      '--test <share>',
      'share of the rows, at the end, that is held out',
      number({ above: 0, below: 1 }),
      0.1,
    )
    .option(
      '--validation <share>',
      'share of the rest that chooses the epoch',
      number({ above: 0, below: 1 }),
      0.1,
    )
    .option('--seed <integer>', 'fixes every bit of the run', integer(0), 1)
    .option('-o, --output <file>', 'the model file (default: NAME.safetensors in the current folder)')
    .option('-r, --report <file>', 'the report (default: the output’s name with .html)')
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        'lstm train monthly-sunspots.csv --target Sunspots --horizon 12',
        'lstm train pollution.csv -t pm2.5 -n 24 -c DEWP,TEMP,PRES --period 24,168 --missing-indicator',
        'lstm train sales.csv -t Units -n 7 --hidden 64 --layers 2 --dropout 0.1 -o sales.safetensors --json',
      ) + missingHelp,
    )
    .action(async (csv, options) => (await import('./train.ts')).train(csv, options, terminal))

  addTune(
    command('tune', 'Search width, layers, learning rate and dropout of a forecaster by successive halving.'),
  ).action(async (csv, options) => (await import('./tune.ts')).tune(csv, options, terminal))

  command(
    'evaluate',
    'Score a forecaster on the end of a series, beside persistence and seasonal naive forecasts.',
  )
    .argument('<model>', 'a file that lstm train wrote')
    .argument('<csv>', 'a CSV file with the columns the model was trained on')
    .option(
      '--test <share>',
      'share of the rows, at the end, to evaluate (default: as in training)',
      number({ above: 0, max: 1 }),
    )
    .option('-r, --report <file>', 'also write a report')
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        'lstm evaluate monthly-sunspots.safetensors monthly-sunspots.csv',
        'lstm evaluate sales.safetensors sales-2026.csv --test 1 --report sales-2026.html',
      ),
    )
    .action(async (model, csv, options) =>
      (await import('./evaluate.ts')).evaluate(model, csv, options, terminal),
    )

  command('predict', 'Forecast the rows after the end of a series; prints CSV.')
    .argument('<model>', 'a file that lstm train wrote')
    .argument('<csv>', 'a CSV file with the columns the model was trained on')
    .option('-o, --output <file>', 'write the forecast there instead')
    .addOption(json())
    .addHelpText(
      'after',
      examples(
        'lstm predict monthly-sunspots.safetensors monthly-sunspots.csv',
        'lstm predict sales.safetensors sales.csv --output next-week.csv',
      ),
    )
    .action(async (model, csv, options) =>
      (await import('./predict.ts')).predict(model, csv, options, terminal),
    )

  command('inspect', 'Show layers, tensors, inputs and metadata of a model file of any format.')
    .argument('<file>', 'safetensors, .keras, .h5, .onnx, or the folder or model.json of TensorFlow.js')
    .addOption(json())
    .addHelpText(
      'after',
      examples('lstm inspect monthly-sunspots.safetensors', 'lstm inspect model.onnx --json'),
    )
    .action(async (file, options) => (await import('./inspect.ts')).inspect(file, options, terminal))

  command('convert', 'Write a model in another format, which the ending of the new name tells.')
    .argument('<in>', 'safetensors, .keras, .h5, .onnx, or the folder or model.json of TensorFlow.js')
    .argument(
      '<out>',
      'NAME.safetensors, or .pytorch.safetensors for PyTorch, .keras, .weights.h5, .onnx, .tfjs',
    )
    .option(
      '--specification <file>',
      'JSON: the layers, where the file holds weights only; lstm inspect proposes them',
    )
    .option(
      '--steps <count>',
      'length of every sequence, where Keras or TensorFlow.js must know it (Flatten)',
      integer(),
    )
    .option(
      '--required-inputs',
      'ONNX: lengths and states must be given, as onnxruntime-node needs it to take them at all',
    )
    .option('--force', 'replace what is there')
    .addHelpText(
      'after',
      examples(
        'lstm convert model.keras model.onnx',
        'lstm convert state-dict.safetensors model.safetensors --specification layers.json',
        'lstm convert model.onnx model.tfjs --force',
        'lstm convert model.safetensors model.onnx --required-inputs',
      ),
    )
    .action(async (from, to, options) => (await import('./convert.ts')).convert(from, to, options, terminal))

  addServe(command('serve', 'Serve models over HTTP, by the Open Inference Protocol (KServe v2).'), terminal)

  return program
}

/** The options of `train` that are not searched are those of `train`. */
function addTune(command: Command): Command {
  return command
    .argument('<csv>', 'a CSV file with a header, rows in the order of time')
    .requiredOption('-t, --target <column>', 'the column to forecast')
    .requiredOption('-n, --horizon <rows>', 'how many rows to forecast at once', integer())
    .option('-i, --input <rows>', 'how many rows the model looks at', integer())
    .option('-c, --covariates <columns>', 'further columns the model looks at, separated by commas', list)
    .option('--date <column>', 'the column of dates (default: the first that holds nothing else)')
    .option('--missing-indicator', 'tell the model which values were missing')
    .option('-p, --period <rows>', 'season of the naive forecast, or several: 24,168', integers)
    .option('--hidden <range>', 'widths: 16,32,64 or 8..128 (default: 16,32,64)', range({ integer: true }))
    .option('--layers <range>', 'LSTM layers (default: 1,2)', range({ integer: true }))
    .option('--learning-rate <range>', 'of Adam (default: 0.0005..0.03)', range({ scale: 'log' }))
    .option('--dropout <range>', 'between layers (default: 0,0.1,0.3)', range({}))
    .option('--trials <count>', 'configurations in the first rung', integer(), 27)
    .option(
      '--reduction <number>',
      'one in so many goes on, with so many times the epochs',
      number({ above: 1 }),
      3,
    )
    .option('--min-epochs <count>', 'of the first rung, at least', integer(), 3)
    .option('-e, --epochs <count>', 'of the last rung', integer(), 27)
    .option('--batch-size <windows>', 'windows in a training step', integer())
    .option(
      '--test <share>',
      'share of the rows that is held out, from the search too',
      number({ above: 0, below: 1 }),
      0.1,
    )
    .option(
      '--validation <share>',
      'share of the rest that judges the trials',
      number({ above: 0, below: 1 }),
      0.1,
    )
    .option('--seed <integer>', 'fixes every bit of the search', integer(0), 1)
    .option('-o, --output <file>', 'the model file (default: NAME.safetensors in the current folder)')
    .option('-r, --report <file>', 'the report (default: the output’s name with .tune.html)')
    .option(
      '--journal <file>',
      'what a search that was stopped goes on from (default: the output’s name with .tune.jsonl)',
    )
    .addOption(new Option('--json', 'print one JSON document instead of text'))
    .addHelpText(
      'after',
      `${examples(
        'lstm tune monthly-sunspots.csv --target Sunspots --horizon 12',
        'lstm tune sales.csv -t Units -n 7 --hidden 32..256 --learning-rate 0.001..0.01 --trials 81 --epochs 81',
      )}\nStopped or killed, the same command goes on where it was.\n`,
    )
}

function addServe(command: Command, terminal: Terminal): void {
  const count = (flag: string, what: string, value: number) =>
    command.option(`${flag} <count>`, what, integer(), value)
  const ms = (flag: string, what: string, value?: number) =>
    command.option(`${flag} <ms>`, what, integer(value === 0 ? 0 : 1), value)
  command
    .argument(
      '<model...>',
      'PATH, NAME=PATH or NAME:VERSION=PATH; a folder of folders 1, 2, ... holds versions',
    )
    .option('--host <address>', 'where to listen; others can reach 0.0.0.0', defaults.host)
    .option('--port <port>', '0 takes one that is free', integer(0), defaults.port)
    .option(
      '--threads <count>',
      'threads of the kernels (default: as many as the container’s CPU quota)',
      integer(),
    )
  count('--max-batch-size', 'rows that run in one batch', defaults.maxBatchSize)
  command
    .option('--max-queue-delay <µs>', 'how long a batch may wait to fill up', integer(0), 0)
    .option('--preferred-batch-sizes <sizes>', 'sizes at which a batch waits no longer: 8,16', integers)
  count(
    '--max-queue-size',
    'rows of a model that may wait; more are answered with 503',
    defaults.maxQueueSize,
  )
  ms('--timeout', 'how long a request may wait for its batch, then 504 (default: as long as it takes)')
  command.option('--state <url>', 'redis://HOST:PORT: where replicas share the states of sequences')
  ms('--max-sequence-idle', 'ends a sequence without requests', defaults.maxSequenceIdle)
  count('--max-sequences', 'sequences at once', defaults.maxSequences)
  command
    .option('--api-key-file <file>', 'keys, one a line, one of which a request must bring')
    .option('--tls-cert <file>', 'PEM')
    .option('--tls-key <file>', 'PEM')
  count('--body-limit', 'bytes of a request', defaults.bodyLimit)
  count('--max-elements', 'numbers in a tensor', defaults.maxElements)
  count('--max-batch', 'rows of a request', defaults.maxBatch)
  count('--max-steps', 'steps of a row', defaults.maxSteps)
  count('--max-connections', 'connections at once', defaults.maxConnections)
  ms('--headers-timeout', 'for the head of a request', defaults.headersTimeout)
  ms('--request-timeout', 'for all of a request', defaults.requestTimeout)
  ms('--keep-alive-timeout', 'between two requests of a connection', defaults.keepAliveTimeout)
  ms('--drain-timeout', 'for requests under way at SIGTERM', defaults.drainTimeout)
  ms('--drain-delay', 'takes connections that long after SIGTERM while the ready probe says no', 0)
  command
    .option('--no-watch', 'load models anew on SIGHUP only, not when their files change')
    .addOption(
      new Option('--log-level <level>', 'requests are logged at debug').choices(logLevels).default('info'),
    )
    .addHelpText(
      'after',
      examples(
        'lstm serve monthly-sunspots.safetensors',
        'lstm serve tagger=tagger.onnx scores=scores/ --host 0.0.0.0 --api-key-file keys --max-queue-delay 500',
        'lstm serve demand:2=demand.keras --state redis://cache:6379 --log-level debug',
      ) +
        '\nSIGHUP loads models, keys and certificates anew; SIGTERM answers what has come, then ends; a second one ends at once.\n',
    )
    .action(async (models, { maxQueueDelay, ...options }) =>
      (await import('./serve.ts')).serve(
        models,
        { ...options, maxQueueDelayMicroseconds: maxQueueDelay },
        terminal,
      ),
    )
}

const missingHelp = `
Missing values: empty cells, NA, N/A, NaN, null, none, ? and - take the last value before them, or before the first the
mean of the training part. Missing targets are neither trained on nor scored.
`

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join('')}`
}

function integer(minimum = 1): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= minimum) return value
    throw new InvalidArgumentError(`Expected an integer of at least ${minimum}.`)
  }
}

function number({ low, above, below, max }: { low?: number; above?: number; below?: number; max?: number }) {
  const bounds = [
    low !== undefined && `at least ${low}`,
    above !== undefined && `above ${above}`,
    below !== undefined && `below ${below}`,
    max !== undefined && `at most ${max}`,
  ].filter(Boolean)
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    const fits =
      value >= (low ?? -Infinity) &&
      value > (above ?? -Infinity) &&
      value < (below ?? Infinity) &&
      value <= (max ?? Infinity)
    if (fits) return value
    throw new InvalidArgumentError(`Expected a number ${bounds.join(' and ')}.`)
  }
}

/** `16,32,64`, or `8..128` for all between. */
function range(kind: { scale?: 'log'; integer?: boolean }) {
  const one = kind.integer ? integer() : number(kind.scale === 'log' ? { above: 0 } : { low: 0, below: 1 })
  return (text: string): Range => {
    const ends = text.split('..')
    if (ends.length > 2) throw new InvalidArgumentError('Expected values as 16,32,64 or a range as 8..128.')
    if (ends.length === 1) return list(text).map(one)
    const [from, to] = ends.map(one)
    if (from <= to) return { from, to, ...kind }
    throw new InvalidArgumentError('Expected the lower end of the range first.')
  }
}

function list(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.every(Boolean)) return names
  throw new InvalidArgumentError('Expected names separated by commas.')
}

function integers(text: string): number[] {
  return list(text).map(integer())
}

function quantiles(text: string): number[] {
  const shares = list(text).map(number({ above: 0, below: 1 }))
  if (shares.every((share, i) => i === 0 || share > shares[i - 1])) return shares
  throw new InvalidArgumentError('Expected shares in increasing order.')
}
