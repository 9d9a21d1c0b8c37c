/** Series with covariates and gaps, several at once, and the windows they are cut into. */
import { describe, expect, it } from 'vitest'
import { type Features, featuresOf } from '../lib/forecast/features.ts'
import { headLoss } from '../lib/forecast/heads.ts'
import { fitScales, scaleOf } from '../lib/forecast/scaling.ts'
import { makeSeries, nextLabels, type Series, seriesByGroup, seriesOf } from '../lib/forecast/series.ts'
import { parseTable } from '../lib/forecast/table.ts'
import { splitRows, windowsAt } from '../lib/forecast/windows.ts'
import { gaussian } from '../lib/operations/distributions/gaussian.ts'
import { Tensor } from '../lib/tensor.ts'

const unit = { mean: 0, deviation: 1 }

function prepare(series: Series, leads: number): Features {
  const scales = series.values.map(() => unit)
  return featuresOf(series, { scales, statics: series.statics.map(() => unit), leads })
}

const series = makeSeries({
  name: 's',
  targets: { a: [1, 2, NaN, 4, 5], b: [10, 20, 30, 40, 50] },
  covariates: { wind: [0.1, 0.2, 0.3, 0.4, 0.5] },
  known: { hour: [0, 1, 2, 3, 4, 5, 6] },
  statics: { size: 7 },
  indicators: ['a'],
})

describe('a window of a direct forecast', () => {
  const features = prepare(series, 2)
  const origins = [{ features, row: 3 }]
  const shape = { mode: 'direct', input: 2, horizon: 2, difference: 'last' } as const

  it('shows targets, covariates, gaps, what is known over the horizon, and statics', () => {
    const { x } = windowsAt(origins, shape).batch([0])
    const rows = [
      [2, 20, 0.2, 0, 2, 3, 7],
      [2, 30, 0.3, 1, 3, 4, 7],
    ]
    expect(x.toArray()).toEqual([rows.map((row) => row.map(Math.fround))])
  })

  it('asks for all targets, less their last values or those of a season before, or as they are', () => {
    const y = (difference: 'last' | 'none' | number) =>
      windowsAt(origins, { ...shape, difference })
        .batch([0])
        .y.toArray()
    expect(y('none')).toEqual([
      [
        [4, 40],
        [5, 50],
      ],
    ])
    // The missing third value of a counts as the second.
    expect(y('last')).toEqual([
      [
        [2, 10],
        [3, 20],
      ],
    ])
    // A season of one row is the last value.
    expect(y(1)).toEqual(y('last'))
    expect(y(3)).toEqual([
      [
        [3, 30],
        [3, 30],
      ],
    ])
  })

  it('leaves missing targets to the loss', () => {
    const { y } = windowsAt([{ features, row: 1 }], { ...shape, input: 1, difference: 'none' }).batch([0])
    expect(y.toArray()).toEqual([
      [
        [2, 20],
        [NaN, 30],
      ],
    ])
  })
})

describe('a window of an autoregressive forecast', () => {
  const known = makeSeries({ name: 's', targets: { a: [1, 2, 4, 8, 16] }, known: { hour: [0, 1, 2, 3, 4] } })
  const features = prepare(known, 1)

  it('asks at each row for the next one, and shows what is known of that', () => {
    const shape = { mode: 'autoregressive', input: 2, horizon: 2, difference: 'last' } as const
    const { x, y } = windowsAt([{ features, row: 3 }], shape).batch([0])
    expect(x.toArray()).toEqual([
      [
        [2, 2],
        [4, 3],
        [8, 4],
      ],
    ])
    expect(y.toArray()).toEqual([[[2], [4], [8]]])
    const seasonal = windowsAt([{ features, row: 3 }], { ...shape, difference: 3 }).batch([0])
    // The second row has no season before it, so it is not learnt from.
    expect(seasonal.y.toArray()).toEqual([[[NaN], [7], [14]]])
  })

  it('of counts holds them in their own unit beside their scale', () => {
    const scaled = featuresOf(known, { scales: [{ mean: 0, deviation: 4 }, unit], statics: [], leads: 1 })
    const shape = { mode: 'autoregressive', input: 1, horizon: 1, difference: 'none' } as const
    const { x, y } = windowsAt([{ features: scaled, row: 3 }], shape, { counts: true }).batch([0])
    expect([x.toArray(), y.toArray()]).toEqual([[[[1, 3]]], [[[[8, 4]]]]])
  })
})

describe('missing targets', () => {
  it.each([
    'quantiles',
    'mean',
    'gaussian',
    'studentT',
  ] as const)('do not count in the loss of %s', (head) => {
    const loss = headLoss(head, [0.2, 0.7])
    const size = { quantiles: 2, mean: 1, gaussian: 2, studentT: 3 }[head]
    const numbers = Float32Array.from({ length: 3 * size }, (_, i) => Math.sin(i))
    const whole = loss(new Tensor([1, 3 * size], numbers), new Tensor([1, 3, 1], Float32Array.of(1, NaN, 3)))
    const given = Float32Array.from([...numbers.subarray(0, size), ...numbers.subarray(2 * size)])
    const alone = loss(new Tensor([1, 2 * size], given), new Tensor([1, 2, 1], Float32Array.of(1, 3)))
    expect(whole.item()).toBeCloseTo(alone.item(), 6)
  })

  it('do not count in the loss of counts', () => {
    const loss = headLoss('negativeBinomial', [])
    const y = new Tensor([1, 2, 1, 2], Float32Array.of(NaN, 3, 2, 3))
    const one = new Tensor([1, 1, 1, 2], Float32Array.of(2, 3))
    const outputs = Float32Array.of(5, -5, 0.3, 0.1)
    expect(loss(new Tensor([1, 4], outputs), y).item()).toBeCloseTo(
      loss(new Tensor([1, 2], outputs.slice(2)), one).item(),
      6,
    )
  })

  it('are no reason for another loss where there are none', () => {
    const y = new Tensor([1, 2], Float32Array.of(1, 2))
    const outputs = Float32Array.of(0.5, 0.1, -0.2, 0.3)
    const expected = gaussian.loss(new Tensor([1, 2, 2], outputs), y).item()
    expect(headLoss('gaussian', [])(new Tensor([1, 4], outputs), y).item()).toBe(expected)
  })
})

describe('scaling', () => {
  it('of targets is by mean and deviation, by 1 + the mean size, or not at all; covariates are standardised', () => {
    expect(scaleOf([1, 3])).toEqual({ mean: 2, deviation: 1 })
    expect(scaleOf([1, -3], 'meanAbs')).toEqual({ mean: 0, deviation: 3 })
    expect(scaleOf([1, 3], 'none')).toEqual({ mean: 0, deviation: 1 })
    const two = makeSeries({ name: 's', targets: { a: [2, 4, NaN, 90] }, known: { k: [0, 2, 4, 6, 8] } })
    expect(fitScales(two, { rows: 3, scaling: 'meanAbs' })).toEqual([
      { mean: 0, deviation: 4 },
      { mean: 2, deviation: Math.sqrt(8 / 3) },
    ])
  })
})

describe('parts', () => {
  it('are shares, or numbers of rows', () => {
    const shares = splitRows(1000, { horizon: 2, validation: 0.1, test: 0.2 })
    expect(shares).toEqual({ rows: 1000, validation: 720, test: 800 })
    expect(splitRows(1000, { horizon: 2, validation: 80, test: 200 })).toEqual(shares)
  })
})

describe('a table', () => {
  const text =
    'store,day,sales,price,area\nA,2020-01-01,1,9,50\nB,2020-01-01,5,8,70\nA,2020-01-02,2,9,50\nA,2020-01-03,,8,50\n'

  it('in long form is a series for each cell of a column, in the order of their first rows', () => {
    const options = { group: 'store', target: 'sales', known: ['price'], statics: ['area'] }
    const [a, b] = seriesByGroup(parseTable(text, { name: 'shops.csv' }), options)
    expect([a.name, a.key, b.key]).toEqual(['shops.csv: A', 'A', 'B'])
    expect([a.statics, b.statics]).toEqual([[50], [70]])
    expect([...b.values[0]]).toEqual([5])
    // A's last row holds the price only: it is the future.
    expect([a.rows, [...a.values[0]], [...a.values[1]]]).toEqual([2, [1, 2], [9, 9, 8]])
    expect(a.labels).toEqual(['2020-01-01', '2020-01-02'])
  })

  it('brings labels of its future along, after which they go on at the step of the last', () => {
    const labels = ['2020-01-01', '2020-01-02', '2020-01-03']
    const table = parseTable(
      `day,v,p\n${[...labels, '2020-01-06'].map((day, t) => `${day},${t < 3 ? t : ''},9`).join('\n')}\n`,
    )
    const series = seriesOf(table, { target: 'v', known: ['p'] })
    expect([series.labels, nextLabels(series, 1)]).toEqual([labels, ['2020-01-06']])
    expect(nextLabels({ ...series, labelsAhead: ['2020-01-04'] }, 2)).toEqual(['2020-01-04', '2020-01-05'])
    const own = makeSeries({
      name: 's',
      targets: { v: [1, 2] },
      known: { p: [1, 2, 3] },
      labels: ['a', 'b', 'c'],
    })
    expect([own.labels, nextLabels(own, 2)]).toEqual([
      ['a', 'b'],
      ['c', '+1'],
    ])
  })

  it('without a group is one series', () => {
    const table = parseTable('v\n1\n2\n', { name: 'one.csv' })
    expect(seriesByGroup(table, { target: 'v' })).toEqual([seriesOf(table, { target: 'v' })])
  })

  it('may leave a static column empty where it has said its number, but not throughout', () => {
    const read = (text: string) => seriesOf(parseTable(text), { target: 'v', statics: ['area'] })
    expect(read('v,area\n1,5\n2,\n').statics).toEqual([5])
    expect(() => read('v,area\n1,\n2,\n')).toThrow('expected a finite number for "area", got NaN')
  })

  it('holds one number in a static column', () => {
    const table = parseTable(text, { name: 'shops.csv' })
    expect(() => seriesOf(table, { target: 'sales', statics: ['area'], date: 'store' })).toThrow(
      'shops.csv: expected one number in the static column "area", got 50 and 70',
    )
  })
})

describe('a series from arrays is refused', () => {
  const targets = { a: [1, 2, 3] }
  it.each([
    ['without rows', { targets: { a: [] } }, 's: expected at least one row of a target, got none'],
    [
      'with a column cut off',
      { targets, covariates: { b: [1, 2] } },
      's: expected 3 rows of "b", as of "a", got 2',
    ],
    [
      'with known values cut off',
      { targets, known: { b: [1] } },
      's: expected 3 rows of "b", as of "a", got 1',
    ],
    [
      'without a number in a column',
      { targets: { a: [NaN, NaN] } },
      's: the column "a" holds no number at all',
    ],
    [
      'with an infinite number',
      { targets: { a: [1, Infinity] } },
      's: the column "a" holds an infinite number',
    ],
    ['with a name twice', { targets, known: { a: [1, 2, 3] } }, 'the column "a" is asked for twice'],
    [
      'with a static that is no number',
      { targets, statics: { z: NaN } },
      's: expected a finite number for "z", got NaN',
    ],
    [
      'with an indicator of nothing',
      { targets, indicators: ['c'] },
      's: an indicator for "c", which is neither',
    ],
  ])('%s', (_, source, message) => {
    expect(() => makeSeries({ name: 's', ...source })).toThrow(message)
  })
})
