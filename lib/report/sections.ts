/** The parts of a report, as data, and their way to HTML. */
import type { BarChart, HeatMap, LineChart } from './charts.ts'
import { escapeHtml } from './escape.ts'

/** A cell of a table; the best ones stand out. */
export type Cell = string | { text: string; best: boolean }

/**
 * A part of a report. All texts are plain text. Charts are drawn when the page is rendered.
 *
 * - `headline`: large numbers, each with what it says; a good one in colour
 * - `text`: paragraphs
 * - `table`: cells flush right, those of the first `textColumns` (default 1) flush left
 * - `lines`, `bars`, `heatMap`: see `LineChart`, `BarChart`, `HeatMap`
 * - `markedText`: texts whose words carry weights in [-1, 1], what speaks for a verdict and what against it
 * - `samples`: texts as they stand, line breaks kept
 * - `groups`: names and values in columns, such as a configuration
 * - `picture`: an SVG text of one's own making, which is not escaped
 * - `pair`: sections side by side where there is room
 */
export type Section =
  | { kind: 'headline'; entries: readonly { value: string; text: string; good?: boolean }[] }
  | { kind: 'text'; title?: string; paragraphs: readonly string[] }
  | {
      kind: 'table'
      title?: string
      columns: readonly string[]
      rows: readonly (readonly Cell[])[]
      textColumns?: number
      note?: string
    }
  | ({ kind: 'lines'; caption?: string } & LineChart)
  | ({ kind: 'bars'; caption?: string } & BarChart)
  | ({ kind: 'heatMap'; caption?: string } & HeatMap)
  | {
      kind: 'markedText'
      title?: string
      texts: readonly { label?: string; words: readonly { text: string; weight: number }[] }[]
      note?: string
    }
  | { kind: 'samples'; title?: string; samples: readonly { label?: string; text: string }[]; note?: string }
  | {
      kind: 'groups'
      title?: string
      groups: readonly { title: string; entries: readonly (readonly [name: string, value: string])[] }[]
    }
  | { kind: 'picture'; svg: string; caption?: string }
  | { kind: 'pair'; sections: readonly Section[] }

/** The HTML of a section. */
export async function renderSection(section: Section): Promise<string> {
  switch (section.kind) {
    case 'headline':
      return `<section class="headline">\n${section.entries.map(headlineEntry).join('\n')}\n</section>`
    case 'text':
      return block(section.title, section.paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('\n'))
    case 'table':
      return block(section.title, tableOf(section))
    case 'lines':
      return figureOf(await (await import('./charts.ts')).lineChart(section), section.caption)
    case 'bars':
      return figureOf(await (await import('./charts.ts')).barChart(section), section.caption)
    case 'heatMap':
      return figureOf(await (await import('./charts.ts')).heatMap(section), section.caption, 'exact')
    case 'markedText':
      return block(section.title, section.texts.map(markedText).join('\n') + noteOf(section.note))
    case 'samples':
      return block(section.title, section.samples.map(sampleOf).join('\n') + noteOf(section.note))
    case 'groups':
      return block(section.title, `<div class="groups">${section.groups.map(groupOf).join('\n')}</div>`)
    case 'picture':
      return figureOf(section.svg, section.caption)
    case 'pair':
      return `<div class="pair">\n${(await Promise.all(section.sections.map(renderSection))).join('\n')}\n</div>`
  }
}

function block(title: string | undefined, html: string): string {
  const heading = title === undefined ? '' : `<h2>${escapeHtml(title)}</h2>\n`
  return `<section>\n${heading}${html}\n</section>`
}

function noteOf(note: string | undefined): string {
  return note === undefined ? '' : `\n<p class="note">${escapeHtml(note)}</p>`
}

function headlineEntry({ value, text, good }: { value: string; text: string; good?: boolean }): string {
  return `<p><strong${good ? ' class="good"' : ''}>${escapeHtml(value)}</strong> ${escapeHtml(text)}</p>`
}

function tableOf({ columns, rows, textColumns = 1, note }: Extract<Section, { kind: 'table' }>): string {
  const classes = (i: number, best: boolean) => {
    const names = [textColumns > 1 && i < textColumns && 'left', best && 'best'].filter(Boolean)
    return names.length > 0 ? ` class="${names.join(' ')}"` : ''
  }
  const header = columns.map((name, i) => `<th scope="col"${classes(i, false)}>${escapeHtml(name)}</th>`)
  const body = rows.map((cells) => {
    const html = cells.map((cell, i) => {
      const { text, best } = typeof cell === 'string' ? { text: cell, best: false } : cell
      return i === 0
        ? `<th scope="row"${classes(i, best)}>${escapeHtml(text)}</th>`
        : `<td${classes(i, best)}>${escapeHtml(text)}</td>`
    })
    return `<tr>${html.join('')}</tr>`
  })
  const table = `<table><thead><tr>${header.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>`
  return `<div class="wide">${table}</div>${noteOf(note)}`
}

function markedText({
  label,
  words,
}: {
  label?: string
  words: readonly { text: string; weight: number }[]
}) {
  const marked = words.map(({ text, weight }) => {
    const strength = Math.min(1, Math.abs(weight))
    // What cannot be seen is not marked: thousands of words stay readable as HTML.
    if (!(strength >= 0.02)) return escapeHtml(text)
    const kind = weight > 0 ? 'for' : 'against'
    const style = `--w:${(strength * 60).toFixed(0)}%`
    return `<mark class="${kind}" style="${style}" title="${weight.toFixed(2)}">${escapeHtml(text)}</mark>`
  })
  return `<p class="marked">${labelOf(label)}${marked.join(' ')}</p>`
}

function sampleOf({ label, text }: { label?: string; text: string }): string {
  return `<div class="sample">${labelOf(label)}<pre>${escapeHtml(text)}</pre></div>`
}

function labelOf(label: string | undefined): string {
  return label === undefined ? '' : `<span class="label">${escapeHtml(label)}</span> `
}

function groupOf({ title, entries }: Extract<Section, { kind: 'groups' }>['groups'][number]): string {
  const items = entries.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`)
  return `<div><h3>${escapeHtml(title)}</h3><dl>${items.join('')}</dl></div>`
}

/** @param size broad pictures fill the page; exact ones keep their size */
function figureOf(svg: string, caption: string | undefined, size: 'broad' | 'exact' = 'broad'): string {
  const text = caption === undefined ? '' : `<figcaption>${escapeHtml(caption)}</figcaption>`
  return `<figure><div class="${size}">${svg}</div>${text}</figure>`
}
