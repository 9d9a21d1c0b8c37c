/** The parts of reports that show scores: of one evaluation in full, of several a row each. */
import { figure } from '../report/page.ts'
import type { Cell, Section } from '../report/sections.ts'
import { comparison, type Evaluation, labelsOf, summaryOf } from './evaluation.ts'

type HeadlineEntry = Extract<Section, { kind: 'headline' }>['entries'][number]

/** The figures that matter, to be read first. */
export function headlineEntries(evaluations: readonly Evaluation[]): HeadlineEntry[] {
  return evaluations.length === 1 ? headlineOfOne(evaluations[0]) : headlineOfSeveral(evaluations)
}

function headlineOfOne(evaluation: Evaluation): HeadlineEntry[] {
  const [model] = evaluation.scores
  const { share, relation, best } = comparison(evaluation)
  const verdict =
    share === undefined ? `${best.name} is exact` : `${relation} ${best.name} (${figure(best.mae)})`
  return [
    { value: figure(model.mae), text: 'mean absolute error' },
    { value: share ?? '–', text: verdict, good: relation === 'below' },
    ...coverageEntry(model.coverage),
  ]
}

/** Errors in different units have no mean; scaled ones do. */
function headlineOfSeveral(evaluations: readonly Evaluation[]): HeadlineEntry[] {
  const { better, mase, bestMase, coverage } = summaryOf(evaluations)
  return [
    {
      value: `${better} of ${evaluations.length}`,
      text: 'below the best naive forecast',
      good: 2 * better > evaluations.length,
    },
    {
      value: mase.toFixed(3),
      text: `mean MASE; best naive forecasts ${bestMase.toFixed(3)}`,
      good: mase < bestMase,
    },
    ...coverageEntry(coverage),
  ]
}

function coverageEntry(coverage: number | undefined): HeadlineEntry[] {
  return coverage === undefined
    ? []
    : [{ value: `${(coverage * 100).toFixed(0)} %`, text: 'of the truth inside the band' }]
}

/** Every score of one evaluation beside those of its baselines, or a row for each of several. */
export function scoreTable(evaluations: readonly Evaluation[], title = 'Scores'): Section {
  const table = evaluations.length === 1 ? tableOfOne(evaluations[0]) : tableOfSeveral(evaluations)
  return { kind: 'table', title, ...table }
}

type ScoreTable = Omit<Extract<Section, { kind: 'table' }>, 'kind' | 'title'>

const sources =
  'sMAPE after Makridakis (1993); MASE after Hyndman & Koehler (2006), in units of the training part’s one-step error.'

function tableOfOne({ scores, forecasts: { origins } }: Evaluation): ScoreTable {
  const columns = ['mae', 'rmse', 'smape', 'mase'] as const
  const lowest = Object.fromEntries(
    columns.map((column) => [column, Math.min(...scores.map((each) => each[column]))]),
  )
  const rows = scores.map((each) => {
    const cells = columns.map((column) => {
      const texts = { smape: percent(each.smape), mase: each.mase.toFixed(3) }
      const text = column in texts ? texts[column as keyof typeof texts] : figure(each[column])
      return { text, best: each[column] === lowest[column] }
    })
    return [each.name, ...cells, coverageText(each.coverage)]
  })
  return {
    columns: ['', 'MAE', 'RMSE', 'sMAPE', 'MASE', 'coverage'],
    rows,
    note: `Over all ${origins.length} origins of the held-out part and all steps. ${sources}`,
  }
}

function tableOfSeveral(evaluations: readonly Evaluation[]): ScoreTable {
  const { header, cells } = labelsOf(evaluations)
  const rows = evaluations.map((evaluation): Cell[] => {
    const [model] = evaluation.scores
    const { best } = comparison(evaluation)
    return [
      ...cells(evaluation),
      { text: figure(model.mae), best: model.mae <= best.mae },
      { text: figure(best.mae), best: best.mae < model.mae },
      best.name,
      model.mase.toFixed(3),
      percent(model.smape),
      coverageText(model.coverage),
    ]
  })
  return {
    columns: [...header, 'MAE', 'naive MAE', 'best naive forecast', 'MASE', 'sMAPE', 'coverage'],
    rows,
    textColumns: header.length,
    note: `Over all origins of the held-out rows and all steps. ${sources}`,
  }
}

function percent(value: number): string {
  return `${value.toFixed(1)} %`
}

function coverageText(coverage: number | undefined): string {
  return coverage === undefined ? '' : percent(coverage * 100)
}
