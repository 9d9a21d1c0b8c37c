/** docs/forecasting.md and docs/tuning.md: their TypeScript runs, and their options are those of the command. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lstm } from './support/command.ts'
import { type Guide, readGuide } from './support/guide.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

async function guideOf(path: string): Promise<Guide> {
  const folder = await mkdtemp(join(tmpdir(), 'guide-'))
  folders.push(folder)
  return readGuide(path, folder)
}

/** The options in the tables of a text: `--a`, `--b` in the first cell of a row. */
async function tabled(path: string): Promise<string[]> {
  const rows = (await readFile(path, 'utf8')).match(/^\| `--[^|]*\|/gm) ?? []
  return rows.flatMap((row) => row.match(/--[a-z-]+/g) ?? [])
}

async function optionsOf(command: string): Promise<string[]> {
  const { out } = await lstm(command, '--help')
  return [...out.matchAll(/^ {2}(?:-[a-z], )?(--[a-z-]+)/gm)]
    .map(([, name]) => name)
    .filter((name) => name !== '--help')
}

describe('docs/forecasting.md', () => {
  let guide: Guide
  beforeAll(async () => {
    guide = await guideOf('docs/forecasting.md')
  })

  it('forecasts a load better than the day before, and the day after the end', async () => {
    const lines = await guide.output(0)
    const scores = new Map(
      lines.slice(0, -1).map((line) => {
        const [, name, mae] = /^(.*) ([\d.]+)$/.exec(line)!
        return [name, Number(mae)]
      }),
    )
    expect([...scores.keys()]).toEqual(['LSTM', 'persistence', 'seasonal naive (24)'])
    expect(scores.get('LSTM')).toBeLessThan(scores.get('seasonal naive (24)')!)
    expect(lines.at(-1)).toBe('24 24')
  })

  it('has a row for every option of lstm train, and no other', async () => {
    expect((await tabled('docs/forecasting.md')).toSorted()).toEqual((await optionsOf('train')).toSorted())
  })
})

describe('docs/tuning.md', () => {
  let guide: Guide
  beforeAll(async () => {
    guide = await guideOf('docs/tuning.md')
  })

  it('finds a configuration that has learned the wave, and goes on from its journal', async () => {
    const first = await guide.output(0)
    const loss = Number(first.join(' ').match(/\} (\S+)/)![1])
    // The wave's variance is 0.5 + 0.125.
    expect(loss).toBeLessThan(0.3)
    expect(first.at(-1)).toBe('9 configurations, 0 results from the journal')
    const again = await guide.output(0)
    expect(again.slice(0, -1)).toEqual(first.slice(0, -1))
    expect(again.at(-1)).toBe('9 configurations, 13 results from the journal')
  })

  it('tells the options that lstm tune has beyond those of lstm train, and the ranges', async () => {
    const [rows, train, tune] = [
      await tabled('docs/tuning.md'),
      await optionsOf('train'),
      await optionsOf('tune'),
    ]
    expect(rows.filter((name) => !tune.includes(name))).toEqual([])
    expect(tune.filter((name) => !train.includes(name) && !rows.includes(name))).toEqual([])
  })
})
