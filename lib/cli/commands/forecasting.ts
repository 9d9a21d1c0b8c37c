/** `lstm evaluate` and `lstm predict` as commands: their options and help. */
import type { Command } from 'commander'
import { number } from '../parsers.ts'
import type { Terminal } from '../terminal.ts'
import { examples, forecasterFile, jsonOption } from './help.ts'

const sameColumns = 'a CSV file with the columns the model was trained on'

export function addEvaluate(command: Command, terminal: Terminal): void {
  command
    .argument('<model>', forecasterFile)
    .argument('<csv>', sameColumns)
    .option(
      '--test <share>',
      'share of the rows, at the end, to evaluate (default: as in training)',
      number({ above: 0, max: 1 }),
    )
    .option('-r, --report <file>', 'also write a report')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        'lstm evaluate monthly-sunspots.safetensors monthly-sunspots.csv',
        'lstm evaluate sales.safetensors sales-2026.csv --test 1 --report sales-2026.html',
      ),
    )
    .action(async (model, csv, options) =>
      (await import('../evaluate.ts')).evaluate(model, csv, options, terminal),
    )
}

export function addPredict(command: Command, terminal: Terminal): void {
  command
    .argument('<model>', forecasterFile)
    .argument('<csv>', `${sameColumns}; known ones reach over the rows to forecast`)
    .option('-o, --output <file>', 'write the forecast there instead')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        'lstm predict monthly-sunspots.safetensors monthly-sunspots.csv',
        'lstm predict sales.safetensors sales.csv --output next-week.csv',
      ),
    )
    .action(async (model, csv, options) =>
      (await import('../predict.ts')).predict(model, csv, options, terminal),
    )
}
