/** `lstm train` and `lstm tune` as commands: their options and help. */
import type { Command } from 'commander'
import { integer, number, range } from '../parsers.ts'
import type { Terminal } from '../terminal.ts'
import { examples } from './help.ts'
import { addFileOptions, addForecastOptions, addSeriesOptions } from './series-options.ts'

export function addTrain(command: Command, terminal: Terminal): void {
  addSeriesOptions(command)
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
    .option('--learning-rate <rate>', 'of Adam', number({ above: 0 }), 0.003)
  addFileOptions(addForecastOptions(command), '.html')
    .addHelpText(
      'after',
      examples(
        'lstm train monthly-sunspots.csv --target Sunspots --horizon 12',
        'lstm train pollution.csv -t pm2.5 -n 24 -c DEWP,TEMP,PRES --period 24,168 --missing-indicator',
        'lstm train load.csv -t load,price -n 24 --known holiday --difference 168 --mode autoregressive --head studentT',
        'lstm train sales.csv -t units -n 7 --group shop --known price --statics area --head negativeBinomial --json',
      ) + missingHelp,
    )
    .action(async (csv, options) => (await import('../train.ts')).train(csv, options, terminal))
}

const missingHelp = `
Missing values: empty cells, NA, N/A, NaN, null, none, ? and - take the last value before them, or before the first the
mean of the training part. Missing targets are neither trained on nor scored.
`

export function addTune(command: Command, terminal: Terminal): void {
  addSeriesOptions(command)
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
  addFileOptions(addForecastOptions(command), '.tune.html')
    .option(
      '--journal <file>',
      'what a search that was stopped goes on from (default: the output’s name with .tune.jsonl)',
    )
    .addHelpText(
      'after',
      `${examples(
        'lstm tune monthly-sunspots.csv --target Sunspots --horizon 12',
        'lstm tune sales.csv -t units -n 7 --group shop --hidden 32..256 --learning-rate 0.001..0.01 --trials 81 --epochs 81',
      )}\nStopped or killed, the same command goes on where it was.\n`,
    )
    .action(async (csv, options) => (await import('../tune.ts')).tune(csv, options, terminal))
}
