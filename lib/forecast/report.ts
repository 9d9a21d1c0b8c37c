/**
 * The report of a run: pictures, scores, configuration. It only arranges what it is given; whoever has trained or
 * evaluated supplies it.
 */
import { figure, renderPage } from '../report/page.ts'
import type { Section } from '../report/sections.ts'
import type { Future } from './charts.ts'
import { comparison, type Evaluation } from './evaluation.ts'

export interface ReportContent {
  title: string
  /** A sentence under the title. */
  subtitle: string
  evaluation: Evaluation
  /** The labels of all rows of the series. */
  labels: readonly string[]
  /** Missing where a model is only evaluated. */
  training?: { epochs: readonly { number: number; loss: number; validationLoss?: number }[]; best?: number }
  future?: Future
  /** What was run, on what and how long, in groups of name and value. */
  configuration: readonly { title: string; entries: readonly (readonly [string, string])[] }[]
}

/** The HTML text of a report. */
export async function renderReport(content: ReportContent): Promise<string> {
  // The drawing library is large: only who draws loads it.
  const { forecastChart, learningChart, stepChart } = await import('./charts.ts')
  const { title, subtitle, evaluation, labels, training, future, configuration } = content
  const { horizon, origins } = evaluation.forecasts
  const span = `${labels[origins[0]]} to ${labels[origins.at(-1)! + horizon - 1]}`
  const steps: Section = {
    kind: 'picture',
    svg: await stepChart(evaluation),
    caption: 'How the error grows with the distance of the forecast.',
  }
  const learning: Section | undefined = training && {
    kind: 'picture',
    svg: await learningChart(training.epochs, training),
    caption: learningCaption(training.best),
  }
  return renderPage({
    title,
    subtitle,
    sections: [
      headlineOf(evaluation),
      {
        kind: 'picture',
        svg: await forecastChart(evaluation, {
          labels,
          title: 'Forecast against truth on the held-out part',
          future,
        }),
        caption:
          `Held out: ${span}. Each stretch is forecast at once, ${horizon} steps from its beginning, by a model that has ` +
          `not seen it${future ? '; the last one lies beyond the end of the data' : ''}.`,
      },
      { kind: 'pair', sections: learning ? [learning, steps] : [steps] },
      scoreTable(evaluation),
      { kind: 'groups', title: 'Configuration', groups: configuration },
    ],
  })
}

function headlineOf(evaluation: Evaluation): Section {
  const [model] = evaluation.scores
  const { share, relation, best } = comparison(evaluation)
  const verdict =
    share === undefined ? `${best.name} is exact` : `${relation} ${best.name} (${figure(best.mae)})`
  const coverage =
    model.coverage === undefined
      ? []
      : [{ value: `${(model.coverage * 100).toFixed(0)} %`, text: 'of the truth inside the band' }]
  return {
    kind: 'headline',
    entries: [
      { value: figure(model.mae), text: 'mean absolute error' },
      { value: share ?? '–', text: verdict, good: relation === 'below' },
      ...coverage,
    ],
  }
}

function learningCaption(best?: number): string {
  return best
    ? `The parameters kept are those after epoch ${best}.`
    : 'The parameters kept are the last ones.'
}

function scoreTable({ scores, forecasts: { origins } }: Evaluation): Section {
  const columns = ['mae', 'rmse', 'smape', 'mase'] as const
  const lowest = Object.fromEntries(
    columns.map((column) => [column, Math.min(...scores.map((each) => each[column]))]),
  )
  const rows = scores.map((each) => {
    const cells = columns.map((column) => {
      const texts = { smape: `${each.smape.toFixed(1)} %`, mase: each.mase.toFixed(3) }
      const text = column in texts ? texts[column as keyof typeof texts] : figure(each[column])
      return { text, best: each[column] === lowest[column] }
    })
    const coverage = each.coverage === undefined ? '' : `${(each.coverage * 100).toFixed(1)} %`
    return [each.name, ...cells, coverage]
  })
  return {
    kind: 'table',
    title: 'Scores',
    columns: ['', 'MAE', 'RMSE', 'sMAPE', 'MASE', 'coverage'],
    rows,
    note:
      `Over all ${origins.length} origins of the held-out part and all steps. sMAPE after Makridakis (1993); MASE after ` +
      'Hyndman & Koehler (2006), in units of the training part’s one-step error.',
  }
}
