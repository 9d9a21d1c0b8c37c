/** The quickstart as a newcomer runs it: it must beat the naive forecasts, survive the file, and say where the report is. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

describe('the quickstart', () => {
  it('lies at least 15 % below the best naive forecast, predicts the same bits after loading, and writes its report', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      'tsx',
      'examples/quickstart/main.ts',
    ])
    const maeOf = (name: string) => Number(stdout.split(`  ${name} `)[1].trim().split('\n')[0])
    const naive = ['persistence', 'seasonal naive (12)', 'seasonal naive (132)'].map(maeOf)
    // Of the series itself, and known beforehand: the last value and the values 12 and 132 months before.
    expect(naive).toEqual([20.99, 27.37, 31.7])
    expect(maeOf('LSTM')).toBeLessThan(0.85 * Math.min(...naive))
    expect(stdout).toContain('saved, loaded again: all 9,756 predicted values have the same bits')
    const report = stdout.match(/^report {2}(\S+)/m)![1]
    expect(await readFile(report, 'utf8')).toContain('<h1>Sunspots, 12 months ahead</h1>')
  })
})
