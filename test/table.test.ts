/** CSV series: reading, dates, missing values, scaling, splits, and the refusals. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { detectPeriod, persistence, seasonalNaive } from '../lib/forecast/baselines.ts'
import { labelsAfter, stepName } from '../lib/forecast/dates.ts'
import { type Features, featuresOf } from '../lib/forecast/features.ts'
import { InputError } from '../lib/forecast/input-error.ts'
import { fitScales, type Scale } from '../lib/forecast/scaling.ts'
import { missingValues, type Series, seriesOf } from '../lib/forecast/series.ts'
import { datesOf, numbersOf, parseTable, readTable } from '../lib/forecast/table.ts'
import { checkedOrigins, learntOrigins, splitRows, windowsAt } from '../lib/forecast/windows.ts'
import { Random } from '../lib/random.ts'

const shape = { mode: 'direct', difference: 'last' } as const

function prepare(series: Series, scales: readonly Scale[]): Features {
  return featuresOf(series, { scales, statics: [], leads: 1 })
}

const small = 'day,load,wind\n2020-01-01,1,10\n2020-01-02,,20\n2020-01-03,3,NA\n2020-01-04,4,40\n'

describe('a CSV file', () => {
  it('is read by column, with every spelling of a missing value as NaN', () => {
    const table = parseTable('a\n1\n\nNA\nnan\nNULL\n?\n-2.5e1\n', {})
    expect([...numbersOf(table, 'a')]).toEqual([1, NaN, NaN, NaN, NaN, -25])
  })

  it('may have quotes, blanks, semicolons, tabs, a byte order mark and line ends of Windows', () => {
    for (const text of ['\uFEFF"x y"; "b"\r\n1 ;2\r\n', 'x y\tb\n1\t2\n', '"x y",b\n"1", 2\n']) {
      const table = parseTable(text)
      expect([table.header, [...numbersOf(table, 'x y')], [...numbersOf(table, 'b')]]).toEqual([
        ['x y', 'b'],
        [1],
        [2],
      ])
    }
  })

  it.each([
    ['', 'table: expected a header and rows, got an empty file'],
    ['a,b\n', 'table: expected rows below the header, got none'],
    ['1,2\n3,4\n', 'table: expected a header with column names on line 1, got numbers (1, 2)'],
    ['a,b,a\n1,2,3\n', 'table: the header names the column "a" twice'],
    ['a,b\n1,2\n3\n', 'table: Invalid Record Length: expect 2, got 1 on line 3'],
  ])('that is no table is refused in one line: %j', (text, message) => {
    expect(() => parseTable(text)).toThrow(new InputError(message))
  })

  it('with a cell that is no number is refused with row, line and column', () => {
    const table = parseTable('a,b\n1,2\n\n3,4x\n', { name: 'f.csv' })
    const message = 'f.csv: row 2 (line 4), column "b": expected a finite number, got "4x"'
    expect(() => numbersOf(table, 'b')).toThrow(new InputError(message))
    expect(() => numbersOf(parseTable('a\n1e999\n'), 'a')).toThrow('got "1e999"')
    expect(() => numbersOf(parseTable('a\n0x10\n'), 'a')).toThrow('got "0x10"')
  })

  it('without the column asked for is refused with the nearest name, or all names', () => {
    const table = parseTable('Passengers,Fares\n1,2\n', { name: 'f.csv' })
    expect(() => numbersOf(table, 'passenger')).toThrow(
      'f.csv: no column "passenger"; did you mean "Passengers"?',
    )
    expect(() => numbersOf(table, 'zzzzz')).toThrow('no column "zzzzz"; the columns are Passengers, Fares')
  })

  it('that does not exist, or is a folder, is refused by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'table-'))
    try {
      await expect(readTable(join(folder, 'no.csv'))).rejects.toThrow('no.csv: no such file')
      await expect(readTable(folder)).rejects.toThrow('expected a CSV file, got a directory')
      await writeFile(join(folder, 'yes.csv'), small)
      expect((await readTable(join(folder, 'yes.csv'))).rows).toBe(4)
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('dates', () => {
  it('are found in the first column that holds nothing else', () => {
    expect(datesOf(parseTable(`n,${small.replaceAll('\n', '\n7,')}`.slice(0, -2)))?.column).toBe('day')
    expect(datesOf(parseTable('a\n1\n'))).toBeUndefined()
  })

  it('that do not increase are refused with the row', () => {
    for (const late of ['2020-01-02', '2020-01-03']) {
      const table = parseTable(`day,v\n2020-01-01,1\n2020-01-03,1\n${late},2\n`)
      expect(() => datesOf(table)).toThrow(
        `row 3 (line 4), column "day": expected rows in the order of time, got ${late} after 2020-01-03`,
      )
    }
  })

  it.each([
    [
      ['1983-10', '1983-11', '1983-12'],
      ['1984-01', '1984-02'],
    ],
    [
      ['2019-10-01', '2020-01-01', '2020-04-01'],
      ['2020-07-01', '2020-10-01'],
    ],
    [
      ['2020-02-26', '2020-02-27', '2020-02-28'],
      ['2020-02-29', '2020-03-01'],
    ],
    [
      ['2016-07-01 22:00:00', '2016-07-01 23:00:00', '2016-07-02 00:00:00'],
      ['2016-07-02 01:00:00', '2016-07-02 02:00:00'],
    ],
    [
      ['2020-01-01', '2020-01-02', '2020-01-09'],
      ['+1', '+2'],
    ],
    [
      ['Monday', 'Tuesday', 'Wednesday'],
      ['+1', '+2'],
    ],
    [
      ['1', '2', '3'],
      ['4', '5'],
    ],
  ])('go on after %j with %j', (labels, next) => {
    expect(labelsAfter(labels, 2)).toEqual(next)
  })
})

describe('the step of a series', () => {
  it.each([
    ['month', ['1983-10', '1983-11', '1983-12']],
    ['month', ['2020-01-01', '2020-02-01', '2020-03-01']],
    ['year', ['2018-01-01', '2019-01-01', '2020-01-01']],
    ['week', ['2020-01-01', '2020-01-08', '2020-01-15']],
    ['day', ['2020-02-26', '2020-02-27', '2020-02-28']],
    ['hour', ['2016-07-01 22:00:00', '2016-07-01 23:00:00', '2016-07-02 00:00:00']],
    ['row', ['2020-01-01', '2020-01-03', '2020-01-05']],
    ['row', ['1', '2', '3']],
  ])('is a %s for %j', (name, labels) => {
    expect(stepName(labels)).toBe(name)
  })
})

describe('missing values', () => {
  const series = seriesOf(parseTable(small), { target: 'load', covariates: ['wind'], missingIndicator: true })

  it('are counted by column', () => {
    expect(missingValues(series)).toEqual([
      { column: 'load', count: 1 },
      { column: 'wind', count: 1 },
    ])
  })

  it('take the last value before them, and are flagged in columns of their own', () => {
    const scales = [
      { mean: 0, deviation: 1 },
      { mean: 0, deviation: 10 },
    ]
    const { past, F, given } = prepare(series, scales)
    expect(F).toBe(4)
    expect([...past]).toEqual([1, 1, 0, 0, 1, 2, 1, 0, 3, 2, 0, 1, 4, 4, 0, 0])
    expect([...given]).toEqual([1, 0, 1, 1])
  })

  it('before the first value take the mean of the training part', () => {
    const late = seriesOf(parseTable('a,b\n?,1\n4,1\n8,1\n', {}), { target: 'a' })
    expect([...prepare(late, fitScales(late, { rows: 3 })).targets[0]]).toEqual([6, 4, 8])
  })

  it('in the target are scored by no window, and learnt from by none that holds nothing else', () => {
    const features = prepare(series, fitScales(series, { rows: 4 }))
    const part = { from: 0, to: 4 }
    expect(checkedOrigins(features, part, { ...shape, input: 1, horizon: 1 })).toEqual([2, 3])
    expect(checkedOrigins(features, part, { ...shape, input: 1, horizon: 2 })).toEqual([2])
    expect(learntOrigins(features, part, { ...shape, input: 1, horizon: 1 })).toEqual([2, 3])
    expect(learntOrigins(features, part, { ...shape, input: 1, horizon: 2 })).toEqual([1, 2])
  })

  it('leave nothing to learn where a column holds no number', () => {
    expect(() => seriesOf(parseTable('a,b\n?,1\n,2\n'), { target: 'a' })).toThrow(
      'the column "a" holds no number at all',
    )
    const late = seriesOf(parseTable('a,b\n?,1\n?,2\n5,3\n'), { target: 'a' })
    expect(() => fitScales(late, { rows: 2 })).toThrow(
      '"a" holds no number in the training part (rows 1 to 2)',
    )
  })
})

describe('scaling', () => {
  it('is fitted on the training part alone', () => {
    const series = seriesOf(parseTable('a\n1\n3\n1000\n'), { target: 'a' })
    expect(fitScales(series, { rows: 2 })).toEqual([{ mean: 2, deviation: 1 }])
    expect([...prepare(series, [{ mean: 2, deviation: 1 }]).past]).toEqual([-1, 1, 998])
  })

  it('leaves a constant column at zero instead of dividing by zero', () => {
    const series = seriesOf(parseTable('a\n5\n5\n'), { target: 'a' })
    expect([...prepare(series, fitScales(series, { rows: 2 })).past]).toEqual([0, 0])
  })
})

describe('the parts of a series', () => {
  it('follow one another in time, each at least a horizon long', () => {
    expect(splitRows(2820, { horizon: 12, validation: 0.1, test: 0.1 })).toEqual({
      rows: 2820,
      validation: 2284,
      test: 2538,
    })
    expect(splitRows(144, { horizon: 24, validation: 0.1, test: 0.1 })).toEqual({
      rows: 144,
      validation: 96,
      test: 120,
    })
  })

  it('do not exist where the horizon is longer than the data, or rows are too few', () => {
    const shares = { validation: 0.1, test: 0.1 }
    expect(() => splitRows(100, { horizon: 100, ...shares })).toThrow(
      'a horizon of 100 is longer than the data (100 rows)',
    )
    expect(() => splitRows(30, { horizon: 12, ...shares })).toThrow(
      'too few rows: of 30, 24 are for validation and test, and training needs more than the horizon of 12',
    )
  })

  it('are cut into windows whose targets are differences to the last value seen', () => {
    const series = seriesOf(parseTable('a\n1\n2\n4\n8\n16\n'), { target: 'a' })
    const features = prepare(series, [{ mean: 0, deviation: 1 }])
    const origins = [2, 3].map((row) => ({ features, row }))
    const set = windowsAt(origins, { ...shape, input: 2, horizon: 2 })
    const { x, y } = set.batch([1, 0])
    expect(x.toArray()).toEqual([
      [[2], [4]],
      [[1], [2]],
    ])
    expect(y.toArray()).toEqual([
      [[4], [12]],
      [[2], [6]],
    ])
  })
})

describe('the naive forecasts', () => {
  const target = Float64Array.of(1, 2, 3, 4, 5, 6)

  it('repeat the last value, or the last season', () => {
    expect([...persistence(target, 4, { horizon: 3 })]).toEqual([4, 4, 4])
    expect([...seasonalNaive(target, 4, { horizon: 5, period: 2 })]).toEqual([3, 4, 3, 4, 3])
  })

  it('find the season in a trend and noise, and none in a straight line or in noise alone', () => {
    const random = new Random(1)
    expect(detectPeriod(Float64Array.from({ length: 400 }, () => random.normal()))).toBeUndefined()

    const wave = (period: number) =>
      Float64Array.from(
        { length: 300 },
        (_, t) => 0.05 * t + Math.sin((2 * Math.PI * t) / period) + 0.4 * Math.sin(t * t),
      )
    expect([7, 12, 24].map((period) => detectPeriod(wave(period)))).toEqual([7, 12, 24])
    expect(detectPeriod(Float64Array.from({ length: 300 }, (_, t) => 3 * t))).toBeUndefined()
  })

  it('take a season for itself, not for a ripple on it nor for twice itself', () => {
    const rippled = (t: number) => Math.sin((2 * Math.PI * t) / 24) + 0.35 * Math.sin((2 * Math.PI * t) / 6)
    expect(detectPeriod(Float64Array.from({ length: 300 }, (_, t) => rippled(t)))).toBe(24)
  })

  it('find the year in months of passengers', async () => {
    const table = await readTable('examples/data/airline-passengers.csv')
    expect(detectPeriod(numbersOf(table, 'Passengers'))).toBe(12)
  })
})
