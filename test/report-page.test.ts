/** The page and the sections of `lstm-native/report`: every kind drawn, escaped, and true to its numbers. */
import { renderPage, type Section } from 'lstm-native/report'
import { describe, expect, it } from 'vitest'
import { barChart, heatMap, lineChart } from '../lib/report/charts.ts'
import { renderSection } from '../lib/report/sections.ts'

/** Attributes of the marks of a heat map or a bar chart, in order. */
function rectangles(svg: string): { fill: string; opacity: number; d: string }[] {
  return [...svg.matchAll(/<path aria-roledescription="rect mark"[^>]*>|<path[^>]*d="M[^"]*h[^>]*>/g)]
    .map(([path]) => ({
      fill: path.match(/ fill="([^"]+)"/)?.[1] ?? '',
      opacity: Number(path.match(/fill-opacity="([^"]+)"/)?.[1] ?? 1),
      d: path.match(/ d="([^"]+)"/)![1],
    }))
    .filter(({ fill }) => fill === 'var(--accent)')
}

describe('a heat map', () => {
  const map = {
    title: 'Attention',
    rows: ['ein', 'hund'],
    columns: ['a', 'dog', 'a'],
    values: [
      [1, 0, 0.5],
      [0, 0.25, 0],
    ],
  }

  it('fills each cell by its share of the largest value, and repeats labels that repeat', async () => {
    const svg = await heatMap(map)
    expect(rectangles(svg).map(({ opacity }) => opacity)).toEqual([1, 0, 0.5, 0, 0.25, 0])
    expect(svg.match(/>a<\/text>/g)).toHaveLength(2)
    expect(svg).toMatch(/>hund<\/text>/)
  })

  it('refuses values that do not fit its labels or are negative', async () => {
    await expect(heatMap({ ...map, values: [[1, 2, 3]] })).rejects.toThrow(/expected 2 rows of 3 values/)
    await expect(
      heatMap({
        ...map,
        values: [
          [1, 2, 3],
          [0, -1, 0],
        ],
      }),
    ).rejects.toThrow(/at least 0, got -1/)
  })
})

describe('a bar chart', () => {
  it('has bars from zero as high as their values', async () => {
    const svg = await barChart({
      title: 'Errors',
      bars: [
        { name: 'RNN', value: 4 },
        { name: 'LSTM', value: 1 },
      ],
      mark: 2,
    })
    const heights = rectangles(svg).map(({ d }) => Number(d.match(/v([\d.]+)/)![1]))
    expect(heights).toHaveLength(2)
    expect(heights[0] / heights[1]).toBeCloseTo(4, 6)
    expect(svg).toContain('stroke-dasharray')
  })
})

describe('a line chart', () => {
  const points = [1, 10, 100].map((y, x) => ({ x, y }))
  /** Heights of the points of each line, from the top. */
  const heights = (svg: string) =>
    [...svg.matchAll(/<path[^>]*>/g)]
      .map(([path]) => path)
      .filter((path) => path.includes('stroke-linecap="round"'))
      .map((path) => path.match(/ d="M([^"]+)"/)![1].split('L'))
      .map((ends) => ends.map((end) => Number(end.split(',')[1])))

  it('draws equal ratios as equal distances on a logarithmic axis', async () => {
    const svg = await lineChart({
      title: 'Norm',
      lines: [{ name: 'a', points }],
      y: { scale: 'log', label: 'norm' },
    })
    const [[a, b, c]] = heights(svg)
    expect(a - b).toBeCloseTo(b - c, 3)
    expect(a).toBeGreaterThan(b)
    expect(svg).toMatch(/>norm<\/text>/)
  })

  it('refuses what a logarithm does not have', async () => {
    const lines = [{ name: 'loss', points: [{ x: 0, y: 0 }] }]
    await expect(lineChart({ title: 'Norm', lines, y: { scale: 'log' } })).rejects.toThrow(
      /lineChart "Norm": expected y above 0 on a logarithmic axis, got 0 in "loss"/,
    )
  })

  it('has a band where points have edges', async () => {
    const band = points.map((point) => ({ ...point, lower: point.y - 1, upper: point.y + 1 }))
    expect(await lineChart({ title: '', lines: [{ name: 'a', points: band }] })).toContain(
      'fill-opacity="0.18"',
    )
    expect(await lineChart({ title: '', lines: [{ name: 'a', points }] })).not.toContain('fill-opacity')
  })
})

describe('sections', () => {
  it('mark words by the sign and size of their weights, and leave the others alone', async () => {
    const html = await renderSection({
      kind: 'markedText',
      texts: [
        {
          label: 'positive',
          words: [
            { text: 'a', weight: 0.001 },
            { text: 'fine', weight: 0.5 },
            { text: '<dull>', weight: -2 },
          ],
        },
      ],
    })
    expect(html).toContain('a <mark class="for" style="--w:30%" title="0.50">fine</mark> ')
    expect(html).toContain('<mark class="against" style="--w:60%" title="-2.00">&lt;dull&gt;</mark>')
  })

  it('escape every text of every kind', async () => {
    const bad = '<b>&"'
    const sections: Section[] = [
      { kind: 'headline', entries: [{ value: bad, text: bad }] },
      { kind: 'text', title: bad, paragraphs: [bad] },
      { kind: 'table', title: bad, columns: [bad, bad], rows: [[bad, { text: bad, best: true }]], note: bad },
      { kind: 'lines', title: bad, lines: [{ name: bad, points: [{ x: 1, y: 1 }] }], caption: bad },
      { kind: 'bars', title: bad, bars: [{ name: bad, value: 1 }], caption: bad },
      { kind: 'heatMap', title: bad, rows: [bad], columns: [bad], values: [[1]], caption: bad },
      { kind: 'markedText', texts: [{ label: bad, words: [{ text: bad, weight: 1 }] }], note: bad },
      { kind: 'samples', samples: [{ label: bad, text: bad }], note: bad },
      { kind: 'groups', title: bad, groups: [{ title: bad, entries: [[bad, bad]] }] },
      { kind: 'pair', sections: [{ kind: 'picture', svg: '<svg/>', caption: bad }] },
    ]
    const html = await renderPage({ title: bad, subtitle: bad, sections })
    expect(html).not.toContain('<b>')
    expect(html.match(/&lt;b(&gt;|>)&amp;/g)!.length).toBeGreaterThan(25)
    expect(html).toContain('<td class="best">')
    expect(html).toContain('<svg/>')
  })
})
