/** What `lstm train` and `lstm tune` read: the flags that they share, and the series that those name. */
import { InputError } from '../forecast/input-error.ts'
import { type Series, seriesByGroup } from '../forecast/series.ts'
import { readTable } from '../forecast/table.ts'
import type { TrainOptions } from '../forecast/train-options.ts'

/** Flags that are no options of the library by the same name. */
export interface SeriesFlags {
  target: string[]
  covariates?: string[]
  known?: string[]
  statics?: string[]
  group?: string
  date?: string
  missingIndicator?: boolean
  period?: number[]
  output?: string
  report?: string
  json?: boolean
}

/** Splits flags into the columns, the files that are written, and the options of the library. */
export function sortFlags<Flags extends SeriesFlags>({
  target,
  covariates,
  known,
  statics,
  group,
  date,
  missingIndicator,
  period,
  output,
  report,
  json,
  ...options
}: Flags) {
  return {
    columns: { target, covariates, known, statics, group, date, missingIndicator },
    files: { output, report },
    json,
    options: { ...options, periods: period },
  }
}

type Columns = Parameters<typeof seriesByGroup>[1]

/** @throws {InputError} for a flag that would do nothing beside the others, and as `readTable` and `seriesByGroup` */
export async function readSeries(
  csv: string,
  columns: Columns,
  { mode, head, paths, quantiles }: Pick<TrainOptions, 'mode' | 'head' | 'paths' | 'quantiles'>,
): Promise<Series[]> {
  if (columns.statics && columns.group === undefined)
    throw new InputError('--statics tell series apart: expected --group beside it')
  if (paths !== undefined && mode !== 'autoregressive')
    throw new InputError('--paths are for --mode autoregressive; a direct forecast draws none')
  if (quantiles && head === 'mean')
    throw new InputError('--head mean forecasts no --quantiles; leave one of them out')
  return seriesByGroup(await readTable(csv), columns)
}
