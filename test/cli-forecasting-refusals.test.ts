/** What `lstm train` refuses of options that do not go together, of groups and of heads; and that `lstm tune` has the same. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { headNames } from '../lib/forecast/heads.ts'
import { lstm, refusal } from './support/command.ts'
import { csvText, grouped, quick, type Rows, sales } from './support/sales.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lstm-refusals-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function refused(name: string, rows: Rows, ...flags: string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, csvText(rows))
  return refusal('train', path, '-o', join(folder, 'no.safetensors'), ...quick, ...flags)
}

describe('lstm train refuses in one line, with code 2,', () => {
  it.each([
    [
      'a group column that does not exist',
      ['--group', 'shp'],
      'one.csv: no column "shp"; did you mean "shop"?',
    ],
    [
      'quantiles row by row',
      ['--mode', 'autoregressive', '--head', 'quantiles'],
      "expected head 'gaussian', 'studentT' or 'negativeBinomial', got 'quantiles'",
    ],
    ['covariates row by row', ['--mode', 'autoregressive', '-c', 'price'], 'must know its covariates ahead'],
    [
      'counts less something',
      ['--head', 'negativeBinomial', '--difference', 'last'],
      'counts are forecast as they are',
    ],
    ['a mode misspelt', ['--mode', 'autoregresive'], 'did you mean autoregressive?'],
    ['a head misspelt', ['--head', 'gausian'], 'did you mean gaussian?'],
    ['a scaling misspelt', ['--scaling', 'standart'], 'did you mean standard?'],
    [
      'a difference to nothing',
      ['--difference', '0'],
      "option '--difference <from>' argument '0' is invalid. Expected last, none or a number of rows.",
    ],
    ['paths of a direct forecast', ['--paths', '9'], '--paths are for --mode autoregressive'],
    ['quantiles of a mean', ['--head', 'mean', '--quantiles', '0.5'], '--head mean forecasts no --quantiles'],
    [
      'statics of one series',
      ['--statics', 'area'],
      '--statics tell series apart: expected --group beside it',
    ],
    [
      'statics that are none',
      ['--group', 'shop', '--statics', 'price'],
      'one.csv: north: expected one number in the static column "price"',
    ],
    ['a horizon too long, with the series', ['--group', 'shop', '-n', '60'], 'one.csv: north: too few rows'],
    ['a target twice', ['-t', 'units,units'], 'the column "units" is asked for twice'],
  ])('%s', async (_, flags, message) => {
    const one = ['-t', 'units', '-n', '7']
    const line = await refused('one.csv', sales({ only: 'north' }), ...one, ...flags)
    expect(line).toContain(message)
  })

  it('a row that belongs to no series', async () => {
    const rows = sales()
    rows[4][0] = ''
    expect(await refused('nobody.csv', rows, ...grouped)).toBe(
      'lstm: nobody.csv: row 4 (line 5), column "shop": expected what the row belongs to, got an empty cell',
    )
  })
})

describe('lstm train and lstm tune', () => {
  it('have the same options for series and forecasts', async () => {
    const optionsOf = async (command: string) =>
      new Set((await lstm(command, '--help')).out.match(/--[a-z][a-z-]+(?= |\n)/g))
    const [train, tune] = [await optionsOf('train'), await optionsOf('tune')]
    const own = ['--trials', '--reduction', '--min-epochs', '--journal']
    expect([...tune].filter((name) => !train.has(name)).sort()).toEqual(own.sort())
    expect([...train].filter((name) => !tune.has(name))).toEqual(['--patience'])
    for (const name of ['--known', '--group', '--mode', '--head', '--stride']) expect(train).toContain(name)
  })

  it('name every head', async () => {
    const help = (await lstm('train', '--help')).out.replace(/\s+/g, ' ')
    for (const name of headNames) expect(help).toContain(name)
  })
})
