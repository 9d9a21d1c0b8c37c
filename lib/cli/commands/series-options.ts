/** The options that `lstm train` and `lstm tune` share: which series, cut how, forecast how, and where the results go. */
import type { Command } from 'commander'
import { difference, integer, integers, list, number, quantiles } from '../parsers.ts'
import { jsonOption } from './help.ts'

export function addSeriesOptions(command: Command): Command {
  return command
    .argument('<csv>', 'a CSV file with a header, rows in the order of time')
    .requiredOption('-t, --target <columns>', 'the column to forecast, or several: a,b', list)
    .requiredOption('-n, --horizon <rows>', 'how many rows to forecast', integer())
    .option(
      '-i, --input <rows>',
      'how many rows the model looks at (default: from season and horizon)',
      integer(),
    )
    .option('-c, --covariates <columns>', 'further columns the model looks at, separated by commas', list)
    .option(
      '--known <columns>',
      'those known ahead; rows at the end that hold only them are the future',
      list,
    )
    .option('--statics <columns>', 'those with one number for each series of --group', list)
    .option('--group <column>', 'long form: the rows of each cell of this column are a series')
    .option('--date <column>', 'the column of dates (default: the first that holds nothing else)')
    .option('--missing-indicator', 'tell the model which values were missing')
    .option(
      '-p, --period <rows>',
      'season of the naive forecast, or several: 24,168 (default: detected)',
      integers,
    )
    .option(
      '--test <share>',
      'share of the rows, at the end, that is held out for the scores',
      number({ above: 0, below: 1 }),
      0.1,
    )
    .option(
      '--validation <share>',
      'share of the rest, at its end, that chooses epoch and options',
      number({ above: 0, below: 1 }),
      0.1,
    )
}

export function addForecastOptions(command: Command): Command {
  return command
    .option(
      '--mode <name>',
      'direct: all rows at once; autoregressive: row by row, by sample paths (default: direct)',
    )
    .option(
      '--head <name>',
      'quantiles, mean, gaussian, studentT or negativeBinomial, for counts (default: quantiles, or gaussian where ' +
        'autoregressive)',
    )
    .option('--quantiles <shares>', 'quantiles to forecast (default: 0.1,0.5,0.9)', quantiles)
    .option(
      '--difference <from>',
      'what is learned: the difference to the last value (last), to that of 24 rows before (24), or the value (none) ' +
        '(default: last, none for counts)',
      difference,
    )
    .option(
      '--scaling <name>',
      'of targets: standard, meanAbs or none (default: standard, meanAbs for counts)',
    )
    .option('--paths <count>', 'sample paths of an autoregressive forecast (default: 100)', integer())
    .option('--stride <rows>', 'train on one window in so many rows (default: 1)', integer())
    .option(
      '--batch-size <windows>',
      'windows in a training step (default: 64, fewer for short series)',
      integer(),
    )
    .option('--seed <integer>', 'fixes every bit of the run', integer(0), 1)
}

/** @param ending of the report's name, where none is given */
export function addFileOptions(command: Command, ending: string): Command {
  return command
    .option('-o, --output <file>', 'the model file (default: NAME.safetensors in the current folder)')
    .option('-r, --report <file>', `the report (default: the output’s name with ${ending})`)
    .addOption(jsonOption())
}
