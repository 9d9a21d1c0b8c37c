/** The report of a search: the best configuration, what each option did to the loss, and every trial. */

import type { ChartLine } from '../report/charts.ts'
import { figure, renderPage } from '../report/page.ts'
import type { Section } from '../report/sections.ts'
import { modelEntries, seriesEntries } from './configuration.ts'
import { lossName } from './heads.ts'
import { headlineEntries, scoreTable } from './report-sections.ts'
import { titleOf } from './run-report.ts'
import { listOf, type Series } from './series.ts'
import type { ForecasterConfiguration, TunedForecaster } from './tune.ts'
import { seriesText } from './wording.ts'

const optionNames = ['hidden', 'layers', 'learningRate', 'dropout'] as const
const titles = { hidden: 'units', layers: 'layers', learningRate: 'learning rate', dropout: 'dropout' }
const formats = { hidden: 'd', layers: 'd', learningRate: '.1e', dropout: '.2~f' }

/** The HTML report of a search. That of the forecaster which came out of it is `reportOfTraining`. */
export function reportOfTuning(series: Series | readonly Series[], tuned: TunedForecaster): Promise<string> {
  const { best, trials, rungs, resumed, result } = tuned
  const all = listOf(series)
  const sections: Section[] = [
    {
      kind: 'headline',
      entries: [
        { value: figure(best.results.at(-1)!.loss), text: 'validation loss of the best trial', good: true },
        { value: String(trials.length), text: `configurations in ${rungs.length} rungs` },
        ...headlineEntries(result.evaluations),
      ],
    },
    {
      kind: 'groups',
      title: 'The best configuration',
      groups: [
        {
          title: 'Options',
          entries: [
            ...optionNames.map((name) => [titles[name], valueText(best.configuration[name])] as const),
            ['seed', String(best.seed)],
          ],
        },
        { title: 'Data', entries: seriesEntries(all) },
        { title: 'Model', entries: modelEntries(result.forecaster) },
        {
          title: 'Search',
          entries: [
            ['rungs', rungs.map(({ resource, trials: n }) => `${n} × ${epochsText(resource)}`).join(', ')],
            ['from the journal', count(resumed, 'result')],
          ],
        },
      ],
    },
    scoreTable(result.evaluations, 'Scores on the rows that the search has not seen'),
    {
      kind: 'pair',
      sections: optionNames.map((name) => ({
        kind: 'lines',
        title: `Validation loss by ${titles[name]}`,
        lines: rungs.flatMap((_, rung) => pointsOf(tuned, name, rung)),
        x: {
          label: titles[name],
          scale: name === 'learningRate' ? 'log' : 'linear',
          format: formats[name],
        },
        size: 'half',
      })),
    },
    trialTable(tuned),
  ]
  return renderPage({
    title: `Options for ${titleOf(all, result.forecaster)}`,
    subtitle: seriesText(all),
    sections,
  })
}

function trialTable({ best, trials, result }: TunedForecaster): Section {
  return {
    kind: 'table',
    title: 'Every trial, the best first',
    columns: ['trial', ...optionNames.map((name) => titles[name]), 'epochs', 'validation loss', 'seconds'],
    rows: trials.map((trial) => {
      const { resource, loss, error } = trial.results.at(-1)!
      return [
        String(trial.trial),
        ...optionNames.map((name) => valueText(trial.configuration[name])),
        String(Math.round(resource)),
        error === undefined ? { text: figure(loss), best: trial === best } : 'failed',
        trial.results.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1),
      ]
    }),
    note:
      'Successive halving after Jamieson & Talwalkar (2016): the best of each rung go on to the next, which trains them ' +
      `anew for longer. The loss (${lossName(result.forecaster.settings.head)}) is that on the validation part; the ` +
      'held-out part has no say.',
  }
}

function pointsOf(
  { trials, rungs }: TunedForecaster,
  name: keyof ForecasterConfiguration,
  rung: number,
): ChartLine[] {
  const points = trials.flatMap(({ configuration, results }) => {
    const result = results[rung]
    return result && Number.isFinite(result.loss) ? [{ x: configuration[name], y: result.loss }] : []
  })
  return [{ name: epochsText(rungs[rung].resource), points, style: 'points' }]
}

function valueText(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function epochsText(resource: number): string {
  return count(Math.round(resource), 'epoch')
}

function count(value: number, what: string): string {
  return `${value} ${what}${value === 1 ? '' : 's'}`
}
