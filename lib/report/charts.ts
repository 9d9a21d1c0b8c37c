/** The general pictures of a report: lines, bars and heat maps. Loaded only by whoever draws. */
import type { Data, Mark, Scale } from 'vega'
import {
  areaOf,
  colours as defaultColours,
  dotOf,
  draw,
  legend,
  legendScale,
  lineOf,
  titleOf,
  xAxis,
  yAxis,
} from './drawing.ts'

/** Width and height of a picture: the full page, or one of two side by side. */
export const sizes = { full: { width: 860, height: 300 }, half: { width: 410, height: 230 } }
export type ChartSize = keyof typeof sizes

export interface ChartAxis {
  /** What stands on the axis, with its unit. */
  label?: string
  /** Default linear; log needs numbers above 0; time takes milliseconds since 1970, in UTC. */
  scale?: 'linear' | 'log' | 'time'
  /** Whether the axis begins at 0; default no. */
  zero?: boolean
  /** How numbers are written, in the notation of d3-format: `d`, `.2f`, `%`. */
  format?: string
}

export interface ChartPoint {
  x: number
  y: number
  /** Edges of a band about the line. */
  lower?: number
  upper?: number
}

export interface ChartLine {
  name: string
  /** Default line. */
  style?: 'line' | 'points'
  points: readonly ChartPoint[]
}

export interface LineChart {
  title: string
  /** Lines without points are left out; a line of one point is a dot. */
  lines: readonly ChartLine[]
  x?: ChartAxis
  y?: ChartAxis
  /** A dashed vertical line there. */
  mark?: number
  /** CSS colours, one a line; default those of the palette. */
  colours?: readonly string[]
  /** Default full. */
  size?: ChartSize
}

/** @throws {RangeError} if a number on a logarithmic axis is not above 0 */
export async function lineChart(chart: LineChart): Promise<string> {
  const { title, lines, x = {}, y = {}, mark, colours = defaultColours, size = 'full' } = chart
  const present = lines.filter(({ points }) => points.length > 0)
  for (const { name, points } of present) requirePositive(title, name, points, { x, y })
  const colourOf = (i: number) => colours[i % colours.length]
  const data: Data[] = present.map(({ points }, i) => ({ name: `line${i}`, values: [...points] }))
  const xs = data.map(({ name }) => ({ data: name, field: 'x' }))
  const ys = data.flatMap(({ name }, i) =>
    ['y', ...(hasBand(present[i]) ? ['lower', 'upper'] : [])].map((field) => ({ data: name, field })),
  )
  // A line of one point would not be seen.
  const isShort = present.every(({ points }) => points.length === 1)
  return draw({
    ...sizes[size],
    data,
    scales: [
      { ...scaleOf('x', x), range: 'width', domain: { fields: xs } } as Scale,
      { ...scaleOf('y', y), range: 'height', domain: { fields: ys }, nice: true } as Scale,
      legendScale(
        'colour',
        present.map(({ name }) => name),
        colours,
      ),
    ],
    axes: [
      { ...xAxis, ...axisOf(x), tickCount: size === 'full' ? 8 : 6 },
      { ...yAxis, ...axisOf(y) },
    ],
    legends: [{ ...legend, stroke: 'colour', columns: present.length > 3 && size === 'half' ? 2 : 0 }],
    title: titleOf(title),
    marks: [
      ...(mark === undefined ? [] : [verticalAt(mark)]),
      ...present.flatMap((line, i) => (hasBand(line) ? [areaOf(`line${i}`, colourOf(i))] : [])),
      ...present.map(({ style }, i) =>
        isShort || style === 'points'
          ? dotOf(`line${i}`, colourOf(i))
          : lineOf(`line${i}`, { colour: colourOf(i), width: 1.8 }),
      ),
    ],
  })
}

export interface BarChart {
  title: string
  bars: readonly { name: string; value: number }[]
  /** The axis of the values; begins at 0 unless `zero` is false. */
  y?: Omit<ChartAxis, 'scale'>
  /** A dashed line at this value: a bound, or the figure of somebody else. */
  mark?: number
  /** Default full. */
  size?: ChartSize
}

export async function barChart({ title, bars, y = {}, mark, size = 'full' }: BarChart): Promise<string> {
  const values = bars.map(({ name, value }) => ({ name, value }))
  const reach = mark === undefined ? [] : [{ name: '', value: mark }]
  return draw({
    ...sizes[size],
    data: [
      { name: 'bars', values },
      { name: 'reach', values: [...values, ...reach] },
    ],
    scales: [
      {
        name: 'x',
        type: 'band',
        range: 'width',
        padding: 0.25,
        domain: { data: 'bars', field: 'name', sort: false },
      },
      {
        name: 'y',
        type: 'linear',
        range: 'height',
        nice: true,
        zero: y.zero ?? true,
        domain: { data: 'reach', field: 'value' },
      },
    ],
    axes: [
      { ...xAxis, labelFlush: false, tickSize: 0 },
      { ...yAxis, ...axisOf(y) },
    ],
    title: titleOf(title),
    marks: [
      {
        type: 'rect',
        from: { data: 'bars' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'name' },
            width: { scale: 'x', band: 1 },
            y: { scale: 'y', field: 'value' },
            y2: y.zero === false ? { signal: 'height' } : { scale: 'y', value: 0 },
            fill: { value: defaultColours[0] },
          },
        },
      },
      ...(mark === undefined ? [] : [horizontalAt(mark)]),
    ],
  })
}

export interface HeatMap {
  title: string
  /** Labels from the top down. */
  rows: readonly string[]
  /** Labels from left to right. */
  columns: readonly string[]
  /** A number at least 0 a cell, `values[row][column]`; the largest has the full colour. */
  values: readonly ArrayLike<number>[]
  x?: Pick<ChartAxis, 'label'>
  y?: Pick<ChartAxis, 'label'>
  /** Default half. */
  size?: ChartSize
}

/** @throws {RangeError} if the values are not one at least 0 for each row and column */
export async function heatMap(map: HeatMap): Promise<string> {
  const { title, rows, columns, values, x = {}, y = {}, size = 'half' } = map
  if (values.length !== rows.length || values.some((row) => row.length !== columns.length))
    throw new RangeError(`heatMap "${title}": expected ${rows.length} rows of ${columns.length} values`)
  const cells = values.flatMap((row, r) => Array.from(row, (value, c) => ({ r, c, value })))
  const worst = cells.find(({ value }) => !(value >= 0))
  if (worst) throw new RangeError(`heatMap "${title}": expected values of at least 0, got ${worst.value}`)
  const side = Math.max(12, Math.min(28, Math.floor(sizes[size].width / (columns.length + 4))))
  // Labels may repeat, as words do: cells are placed by number, and a label looks up its text.
  const labels = (texts: readonly string[]) => ({
    labels: { update: { text: { signal: `${JSON.stringify(texts)}[datum.value]` } } },
  })
  const band = (name: string, count: number, range: 'width' | 'height'): Scale => ({
    name,
    type: 'band',
    range,
    domain: Array.from({ length: count }, (_, i) => i),
  })
  const plain = { domain: false, ticks: false, grid: false }
  return draw({
    width: side * columns.length,
    height: side * rows.length,
    autosize: { type: 'pad' },
    data: [{ name: 'cells', values: cells }],
    scales: [
      band('x', columns.length, 'width'),
      band('y', rows.length, 'height'),
      {
        name: 'strength',
        type: 'linear',
        range: [0, 1],
        zero: true,
        domain: { data: 'cells', field: 'value' },
      },
    ],
    axes: [
      {
        ...plain,
        orient: 'top',
        scale: 'x',
        title: x.label,
        labelAngle: columns.some((text) => text.length > 2) ? -55 : 0,
        labelAlign: columns.some((text) => text.length > 2) ? 'left' : 'center',
        encode: labels(columns),
      },
      { ...plain, orient: 'left', scale: 'y', title: y.label, encode: labels(rows) },
    ],
    title: titleOf(title),
    marks: [
      {
        type: 'rect',
        from: { data: 'cells' },
        encode: {
          enter: {
            x: { scale: 'x', field: 'c' },
            y: { scale: 'y', field: 'r' },
            width: { scale: 'x', band: 1 },
            height: { scale: 'y', band: 1 },
            fill: { value: defaultColours[0] },
            fillOpacity: { scale: 'strength', field: 'value' },
            stroke: { value: 'var(--faint)' },
            strokeWidth: { value: 0.5 },
          },
        },
      },
    ],
  })
}

function hasBand({ points }: ChartLine): boolean {
  return points.some(({ lower, upper }) => lower !== undefined && upper !== undefined)
}

function scaleOf(name: string, { scale = 'linear', zero = false }: ChartAxis): Partial<Scale> {
  if (scale === 'time') return { name, type: 'utc' }
  return scale === 'log' ? { name, type: 'log' } : { name, type: 'linear', zero }
}

function axisOf({ label, format }: ChartAxis) {
  return {
    ...(label === undefined ? {} : { title: label }),
    ...(format === undefined ? {} : { format }),
    ...(format === 'd' ? { tickMinStep: 1 } : {}),
  }
}

function requirePositive(
  title: string,
  name: string,
  points: readonly ChartPoint[],
  axes: { x: ChartAxis; y: ChartAxis },
): void {
  for (const axis of ['x', 'y'] as const) {
    const wrong = axes[axis].scale === 'log' ? points.find((point) => !(point[axis] > 0)) : undefined
    if (wrong)
      throw new RangeError(
        `lineChart "${title}": expected ${axis} above 0 on a logarithmic axis, got ${wrong[axis]} in "${name}"`,
      )
  }
}

const dashed = { stroke: { value: 'var(--muted)' }, strokeDash: { value: [2, 3] } }

function verticalAt(x: number): Mark {
  const enter = { x: { scale: 'x', value: x }, y: { value: 0 }, y2: { signal: 'height' }, ...dashed }
  return { type: 'rule', encode: { enter } }
}

function horizontalAt(y: number): Mark {
  const enter = { y: { scale: 'y', value: y }, x: { value: 0 }, x2: { signal: 'width' }, ...dashed }
  return { type: 'rule', encode: { enter } }
}
