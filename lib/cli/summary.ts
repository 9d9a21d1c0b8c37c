/** What train, tune and evaluate say about the scores of a run, as text or JSON. */
import { comparison, type Evaluation, labelsOf, summaryOf } from '../forecast/evaluation.ts'
import { count, textTable } from './terminal.ts'

/** Rows of a table on the terminal, at most; the rest is counted. */
const mostRows = 20

/** All scores of one evaluation in columns, or a row for each of several; and the verdict in a line. */
export function scoresText(evaluations: readonly Evaluation[]): string {
  return evaluations.length === 1 ? textOfOne(evaluations[0]) : textOfSeveral(evaluations)
}

function textOfOne(evaluation: Evaluation): string {
  const rows = evaluation.scores.map(({ name, mae, rmse, smape, mase, coverage }) => [
    name,
    mae.toFixed(3),
    rmse.toFixed(3),
    `${smape.toFixed(1)} %`,
    mase.toFixed(3),
    share(coverage),
  ])
  const { share: difference, relation, best } = comparison(evaluation)
  const verdict =
    difference === undefined
      ? `No forecast can be better than ${best.name}, which is exact here.`
      : `The LSTM’s MAE is ${difference} ${relation} that of ${best.name}.`
  return `${textTable([['', 'MAE', 'RMSE', 'sMAPE', 'MASE', 'coverage'], ...rows])}${verdict}\n`
}

function textOfSeveral(evaluations: readonly Evaluation[]): string {
  const { header, cells } = labelsOf(evaluations)
  const rows = evaluations.slice(0, mostRows).map((evaluation) => {
    const [{ mae, mase, coverage }] = evaluation.scores
    const { best } = comparison(evaluation)
    return [
      ...cells(evaluation),
      best.name,
      mae.toFixed(3),
      best.mae.toFixed(3),
      mase.toFixed(3),
      share(coverage),
    ]
  })
  const names = [...header, 'best naive', 'MAE', 'naive MAE', 'MASE', 'coverage']
  const left = evaluations.length - rows.length
  const rest = left > 0 ? `and ${count(left)} more, which the report and --json have\n` : ''
  const { better, mase, bestMase } = summaryOf(evaluations)
  return (
    `${textTable([names, ...rows], { flushLeft: header.length + 1 })}${rest}` +
    `The LSTM’s MAE is below that of the best naive forecast in ${better} of ${evaluations.length}; ` +
    `their mean MASE is ${mase.toFixed(3)}, that of the best naive ones ${bestMase.toFixed(3)}.\n`
  )
}

function share(coverage: number | undefined): string {
  return coverage === undefined ? '' : `${(coverage * 100).toFixed(1)} %`
}

/** The same for --json: one object a series and target. */
export function scoresJson(evaluations: readonly Evaluation[]) {
  return evaluations.map(({ series, target, scores, improvement, forecasts: { origins, horizon } }) => ({
    series,
    target,
    horizon,
    origins: origins.length,
    improvement,
    scores,
  }))
}
