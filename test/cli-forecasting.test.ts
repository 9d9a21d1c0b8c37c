/** What `lstm train`, `evaluate` and `predict` do beyond one column: known columns, groups, several targets, every head. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { naiveError } from '../lib/forecast/metrics.ts'
import { Random } from '../lib/random.ts'
import { lstm, refusal } from './support/command.ts'
import { csvText, day, grouped, quick, type Rows, sales, shops } from './support/sales.ts'

let folder = ''
const file = (name: string) => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lstm-forecasting-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function csv(name: string, rows: Rows): Promise<string> {
  await writeFile(file(name), csvText(rows))
  return file(name)
}

async function train(path: string, output: string, ...flags: string[]) {
  const { code, out, error } = await lstm('train', path, '-o', file(output), ...quick, ...flags, '--json')
  expect([code, error.split('\n').find((line) => line.startsWith('lstm:'))]).toEqual([0, undefined])
  return JSON.parse(out)
}

async function predict(model: string, path: string) {
  const { code, out, error } = await lstm('predict', file(model), path)
  expect([code, error]).toEqual([0, ''])
  const [header, ...rows] = out.trimEnd().split('\n')
  return { header, rows: rows.map((row) => row.split(',')) }
}

async function settingsOf(model: string) {
  const { out } = await lstm('inspect', file(model), '--json')
  return JSON.parse(out).metadata['lstm_native.forecast']
}

describe('known columns', () => {
  const random = new Random(2)
  const plan = Array.from({ length: 404 }, () => random.uniform(-1, 1))
  // The shop opens when it likes: dates that cannot be gone on with.
  const ahead = ['2025-02-10', '2025-02-12', '2025-02-17', '2025-02-18']
  const rows = plan.map((each, t) => (t < 400 ? [day(t), 3 * each, each] : [ahead[t - 400], '', each]))
  const flags = ['-t', 'v', '-n', '4', '--known', 'plan', '--difference', 'none', '--quantiles', '0.5']

  it('are read over the future rows, whose dates the forecast bears', async () => {
    const path = await csv('plan.csv', [['day', 'v', 'plan'], ...rows])
    const { columns, series } = await train(
      path,
      'plan.st',
      ...flags,
      '--epochs',
      '30',
      '--hidden',
      '12',
      '--learning-rate',
      '0.01',
    )
    expect([columns.known, series[0].rows]).toEqual([['plan'], 400])
    const { header, rows: forecast } = await predict('plan.st', path)
    expect([header, forecast.map(([label]) => label)]).toEqual(['day,v,q0.5', ahead])
    // Noise cannot be forecast without the plan: the deviation is √3.
    for (const [step, [, value]] of forecast.entries())
      expect(Math.abs(Number(value) - 3 * plan[400 + step])).toBeLessThan(1.2)
    const html = await readFile(file('plan.html'), 'utf8')
    expect(html).toContain('<dt>known ahead</dt><dd>plan</dd>')
    expect(html).toContain('the last one lies beyond the end of the data')
  })

  it('that end too early are refused at predict; training does not need them', async () => {
    const path = await csv('short.csv', [['day', 'v', 'plan'], ...rows.slice(0, 402)])
    await train(path, 'short.st', ...flags)
    expect(await readFile(file('short.html'), 'utf8')).not.toContain('beyond the end of the data')
    expect(await refusal('predict', file('short.st'), path)).toBe(
      'lstm: short.csv: the known columns plan must reach over the rows forecast: expected 404 rows, got 402',
    )
  })
})

describe('a table in long form', () => {
  it('trains one model on all series, which reads such tables again', async () => {
    const path = await csv('sales.csv', sales())
    const { evaluations, series, columns } = await train(path, 'sales.st', ...grouped)
    expect(series.map(({ name, rows }: { name: string; rows: number }) => [name, rows])).toEqual(
      shops.map((shop) => [shop, 120]),
    )
    expect(columns).toMatchObject({ group: 'shop', statics: ['area'] })
    expect((await settingsOf('sales.st')).columns.group).toBe('shop')
    expect(evaluations.map(({ series }: { series: string }) => series)).toEqual(shops)
    const again = await lstm('evaluate', file('sales.st'), path, '--json')
    expect(JSON.parse(again.out).evaluations).toEqual(evaluations)
  })

  it('is forecast with the group first, each series as it would be by itself', async () => {
    const { header, rows } = await predict('sales.st', file('sales.csv'))
    expect(header).toBe('shop,day,units,q0.1,q0.5,q0.9')
    const days = Array.from({ length: 7 }, (_, step) => day(120 + step))
    expect(rows.map(([shop, label]) => [shop, label])).toEqual(
      shops.flatMap((shop) => days.map((each) => [shop, each])),
    )
    const south = await csv('south.csv', sales({ only: 'south' }))
    expect((await predict('sales.st', south)).rows).toEqual(rows.slice(7, 14))
    const { out } = await lstm('predict', file('sales.st'), file('sales.csv'), '--json')
    const names = header.split(',')
    const cells = rows[7].map((cell, i) => [names[i], i < 2 ? cell : Number(cell)])
    expect(JSON.parse(out).forecast[7]).toEqual(Object.fromEntries(cells))
  })

  it('may bring a series that the model has not seen', async () => {
    const path = await csv('new.csv', sales({ shops: ['harbour'] }))
    const { rows } = await predict('sales.st', path)
    expect(rows.map(([shop]) => shop)).toEqual(Array.from({ length: 7 }, () => 'harbour'))
    const { code, out } = await lstm('evaluate', file('sales.st'), path)
    expect([code, out]).toEqual([0, expect.stringContaining('6 forecasts of 7 rows')])
    // MASE is in units of its own rows before the held-out ones, not of those of a series trained on.
    const units = sales({ shops: ['harbour'] })
      .slice(1, 109)
      .map((row) => Number(row[2]))
    const { evaluations } = JSON.parse((await lstm('evaluate', file('sales.st'), path, '--json')).out)
    const [{ mae, mase }] = evaluations[0].scores
    expect(mae / mase).toBeCloseTo(naiveError(units), 9)
    // Scaled by the rows before the first forecast, of which there are as many as the model looks at.
    const whole = await lstm('evaluate', file('sales.st'), path, '--test', '1')
    expect([whole.code, whole.out]).toEqual([0, expect.stringContaining('106 forecasts of 7 rows')])
  })

  it('is refused without the group that the model knows', async () => {
    const rows = sales().map((row) => row.slice(1))
    expect(await refusal('predict', file('sales.st'), await csv('groupless.csv', rows))).toContain(
      'groupless.csv: no column "shop"',
    )
  })

  it('has missing-value indicators in every series for what is missing in one', async () => {
    const rows = sales()
    rows[8][2] = 'NA'
    const path = await csv('gaps.csv', rows)
    const { columns } = await train(path, 'gaps.st', ...grouped, '--missing-indicator')
    expect(columns.indicators).toEqual(['units'])
    expect((await predict('gaps.st', path)).rows).toHaveLength(21)
  })

  it('is summed up in a row a series, those beyond twenty counted', async () => {
    const names = Array.from({ length: 23 }, (_, i) => `shop ${i + 1}`)
    const path = await csv('many.csv', sales({ shops: names }))
    const flags = ['--epochs', '1', '-t', 'units', '-n', '7', '--group', 'shop', '--known', 'price']
    const { code, out, error } = await lstm('train', path, '-o', file('many.st'), ...quick, ...flags)
    expect([code, error.split('\n')[0]]).toEqual([
      0,
      'many.csv: 23 series, 2,760 rows from 2024-01-01 to 2024-04-29; missing values: none',
    ])
    expect(out).toMatch(/^series +best naive +MAE +naive MAE +MASE +coverage$/m)
    expect(
      out.match(
        /^shop \d+ +(persistence|seasonal naive \(7\)) +\d+\.\d{3} +\d+\.\d{3} +\d+\.\d{3} +[\d.]+ %$/gm,
      ),
    ).toHaveLength(20)
    expect(out).toContain('\nand 3 more, which the report and --json have\n')
    expect(out).toMatch(/is below that of the best naive forecast in \d+ of 23; their mean MASE is \d\.\d{3}/)
    const html = await readFile(file('many.html'), 'utf8')
    expect(html).toContain('Drawn are the first 8 of 23; the table has all.')
    expect(html.match(/<figure>/g)).toHaveLength(8 + 2)
    expect(html.match(/<tr><th scope="row">shop \d+</g)).toHaveLength(23)
    expect(html).toContain('shop 1, shop 2, shop 3 and 20 more')
  })
})

describe('several targets', () => {
  it('are forecast together, and written side by side', async () => {
    const rows = Array.from({ length: 150 }, (_, t) => [
      day(t),
      Math.sin((2 * Math.PI * t) / 7),
      1000 + 50 * Math.cos((2 * Math.PI * t) / 7),
    ])
    const path = await csv('two.csv', [['day', 'low', 'high'], ...rows])
    const { evaluations } = await train(path, 'two.st', '-t', 'low,high', '-n', '3')
    expect(evaluations.map(({ target }: { target: string }) => target)).toEqual(['low', 'high'])
    const { header, rows: forecast } = await predict('two.st', path)
    expect(header).toBe('day,low,low_q0.1,low_q0.5,low_q0.9,high,high_q0.1,high_q0.5,high_q0.9')
    expect(forecast.map(([label]) => label)).toEqual([day(150), day(151), day(152)])
    for (const [, ...cells] of forecast) {
      const numbers = cells.map(Number)
      for (const value of numbers.slice(0, 4)) expect(Math.abs(value)).toBeLessThan(10)
      for (const value of numbers.slice(4)) expect(Math.abs(value - 1000)).toBeLessThan(500)
      expect([numbers[0], numbers[4]]).toEqual([numbers[2], numbers[6]])
    }
    const { out } = await lstm('evaluate', file('two.st'), path, '--report', file('two-evaluated.html'))
    expect(out).toMatch(/^target +best naive/m)
    expect(out).toMatch(/^high +seasonal naive \(7\)/m)
    expect(out).toContain('13 forecasts of 3 rows, the first from ')
    expect(await readFile(file('two-evaluated.html'), 'utf8')).toContain('<h1>low, high, 3 days ahead</h1>')
  })
})

describe('heads and modes', () => {
  it.each([
    ['gaussian', 'standard', 'likelihood, Gaussian'],
    ['negativeBinomial', 'meanAbs', 'likelihood, negative binomial'],
  ])('autoregressive with %s', async (head, scaling, loss) => {
    const path = await csv('counts.csv', sales({ only: 'north' }))
    const flags = ['-t', 'units', '-n', '5', '--mode', 'autoregressive', '--head', head, '--paths', '30']
    const { evaluations } = await train(
      path,
      'counts.st',
      ...flags,
      '--known',
      'price',
      '--quantiles',
      '0.1,0.9',
    )
    expect(evaluations[0].scores[0].coverage).toBeGreaterThan(0)
    expect(await settingsOf('counts.st')).toMatchObject({ mode: 'autoregressive', head, scaling, paths: 30 })
    const { header, rows } = await predict('counts.st', path)
    expect(header).toBe('day,units,q0.1,q0.9')
    for (const [, , low, high] of rows) expect(Number(low)).toBeLessThan(Number(high))
    if (head === 'negativeBinomial')
      for (const [, , low] of rows) expect(Number(low)).toBeGreaterThanOrEqual(0)
    const html = await readFile(file('counts.html'), 'utf8')
    expect(html).toContain(`<dt>loss</dt><dd>${loss}</dd>`)
    expect(html).toContain('autoregressive, 30 sample paths')
  })

  it('with mean there are no quantiles', async () => {
    const path = await csv('mean.csv', sales({ only: 'north' }))
    await train(path, 'mean.st', '-t', 'units', '-n', '2', '--head', 'mean', '--scaling', 'none')
    expect((await predict('mean.st', path)).header).toBe('day,units')
    expect((await settingsOf('mean.st')).scaling).toBe('none')
    expect((await lstm('evaluate', file('mean.st'), path)).out).toMatch(
      /^LSTM( +[\d.]+){2} +[\d.]+ % +[\d.]+$/m,
    )
  })

  it('learn differences to a season, and one window in so many rows', async () => {
    const path = await csv('season.csv', sales({ only: 'north' }))
    const { error } = await lstm(
      ...['train', path, '-o', file('season.st'), ...quick, '-t', 'units', '-n', '2'],
      ...['--difference', '7', '--stride', '5'],
    )
    // 127 rows, of which 13 are held out and 11 validate: origins from 8 to 101, every fifth.
    expect(error).toContain('19 windows of 8 rows to learn to forecast 2 from\n')
    expect((await settingsOf('season.st')).difference).toBe(7)
    expect(await readFile(file('season.html'), 'utf8')).toContain(', from every 5 rows')
  })
})
