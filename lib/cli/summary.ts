/** What train, evaluate and the quickstart say about a run: scores as text or JSON, and the report's content. */
import { access, constants, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { comparison, type Evaluation } from '../forecast/evaluation.ts'
import { InputError } from '../forecast/input-error.ts'
import { missingValues, type Series } from '../forecast/series.ts'
import { count, textTable } from './terminal.ts'

/** Scores in columns, and the verdict in a line. */
export function scoreText(evaluation: Evaluation): string {
  const rows = evaluation.scores.map(({ name, mae, rmse, smape, mase, coverage }) => [
    name,
    mae.toFixed(3),
    rmse.toFixed(3),
    `${smape.toFixed(1)} %`,
    mase.toFixed(3),
    coverage === undefined ? '' : `${(coverage * 100).toFixed(1)} %`,
  ])
  return textTable([['', 'MAE', 'RMSE', 'sMAPE', 'MASE', 'coverage'], ...rows]) + verdict(evaluation)
}

function verdict(evaluation: Evaluation): string {
  const { share, relation, best } = comparison(evaluation)
  return share === undefined
    ? `No forecast can be better than ${best.name}, which is exact here.\n`
    : `The LSTM’s MAE is ${share} ${relation} that of ${best.name}.\n`
}

/** The same for --json. */
export function scoreJson({ scores, improvement, forecasts: { origins, horizon } }: Evaluation) {
  return { horizon, origins: origins.length, improvement, scores }
}

/** `monthly-sunspots.csv: 2,820 rows from 1749-01 to 1983-12` */
export function seriesText({ name, rows, labels, dateColumn }: Series): string {
  return `${name}: ${count(rows)} rows${dateColumn ? ` from ${labels[0]} to ${labels.at(-1)}` : ''}`
}

/** `12 in Sunspots, 3 in Wind`, or `none`. */
export function missingText(series: Series): string {
  const parts = missingValues(series).map(({ column, count: n }) => `${count(n)} in ${column}`)
  return parts.join(', ') || 'none'
}

/** Refuses a path whose folder cannot take a file, before hours of work are done for it. */
export async function requireWritable(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InputError(
      `${path}: ${code === 'ENOENT' ? `no such folder: ${folder}` : `cannot write to ${folder}`}`,
    )
  }
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isDirectory()) throw new InputError(`${path}: expected a file to write, got a folder`)
}

/** No file may be written over the data, or over another. @param paths by the name of their option */
export function requireDistinct(paths: Readonly<Record<string, string>>): void {
  const names = Object.keys(paths)
  for (const [i, name] of names.entries()) {
    const other = names.slice(0, i).find((each) => resolve(paths[each]) === resolve(paths[name]))
    if (other)
      throw new InputError(
        `${paths[name]}: the ${name} would overwrite the ${other}; choose another --${name}`,
      )
  }
}

export async function writeText(path: string, text: string): Promise<void> {
  await requireWritable(path)
  await writeFile(path, text)
}
