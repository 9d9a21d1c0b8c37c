/**
 * What pictures are made of: axes, legends and marks of a Vega specification, and its way to SVG text without a browser.
 * Colours are the CSS variables of `palette`, so that one picture serves a light and a dark page. Loaded only by whoever
 * draws: the drawing library is large.
 */
import { type Config, type Mark, parse, type Scale, type Spec, View } from 'vega'

/** Colours of lines and bars in the order they are given. */
export const colours = [
  'var(--accent)',
  'var(--second)',
  'var(--third)',
  'var(--ink)',
  'var(--muted)',
] as const

export const xAxis = {
  orient: 'bottom' as const,
  scale: 'x',
  tickSize: 4,
  labelFlush: true,
  labelOverlap: true,
}

export const yAxis = {
  orient: 'left' as const,
  scale: 'y',
  grid: true,
  domain: false,
  ticks: false,
  tickCount: 5,
}

export const legend = {
  orient: 'top' as const,
  direction: 'horizontal' as const,
  offset: 6,
  symbolType: 'stroke',
  symbolSize: 200,
  columnPadding: 14,
}

export function legendScale(name: string, domain: readonly string[], range: readonly string[]): Scale {
  return {
    name,
    type: 'ordinal',
    domain: [...domain],
    range: domain.map((_, i) => range[i % range.length]),
  }
}

export function titleOf(text: string) {
  return { text, anchor: 'start' as const, offset: 10 }
}

export function lineOf(data: string, { colour, width }: { colour: string; width: number }): Mark {
  return {
    type: 'line',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'y' },
        stroke: { value: colour },
        strokeWidth: { value: width },
        strokeJoin: { value: 'round' },
        strokeCap: { value: 'round' },
      },
    },
  }
}

export function areaOf(data: string, colour: string): Mark {
  return {
    type: 'area',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'lower' },
        y2: { scale: 'y', field: 'upper' },
        fill: { value: colour },
        fillOpacity: { value: 0.18 },
      },
    },
  }
}

export function dotOf(data: string, colour: string): Mark {
  return {
    type: 'symbol',
    from: { data },
    encode: {
      enter: {
        x: { scale: 'x', field: 'x' },
        y: { scale: 'y', field: 'y' },
        fill: { value: colour },
        size: { value: 30 },
      },
    },
  }
}

const font = 'system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'

const config: Config = {
  title: { font, fontSize: 13, fontWeight: 600, color: 'var(--ink)' },
  axis: {
    labelFont: font,
    labelFontSize: 11,
    labelColor: 'var(--muted)',
    labelPadding: 6,
    titleFont: font,
    titleFontSize: 11,
    titleFontWeight: 400,
    titleColor: 'var(--muted)',
    gridColor: 'var(--faint)',
    domainColor: 'var(--muted)',
    tickColor: 'var(--muted)',
  },
  legend: {
    labelLimit: 0,
    symbolStrokeWidth: 3,
    labelFont: font,
    labelFontSize: 11.5,
    labelColor: 'var(--ink)',
    labelOffset: 5,
  },
}

/** The SVG text of a specification. */
export async function draw(spec: Spec): Promise<string> {
  const view = new View(
    parse({
      padding: { left: 0, right: 8, top: 4, bottom: 4 },
      autosize: { type: 'fit', contains: 'padding' },
      config,
      ...spec,
    }),
    { renderer: 'none' },
  )
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
