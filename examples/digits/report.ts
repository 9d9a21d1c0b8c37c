/** What the report shows of a run: which digits were taken for which, and the images behind it. */
import type { Section } from 'lstm-native/report'
import type { Digits } from './idx.ts'

/** @param read what the network read in the images from `first` on */
export function confusions(digits: Digits, { first, read }: { first: number; read: Uint8Array }): Section {
  const counts = Array.from({ length: 10 }, () => new Array<number>(10).fill(0))
  for (const [n, digit] of read.entries()) counts[digits.labels[first + n]][digit]++
  return {
    kind: 'table',
    title: 'What was read (columns) of each digit (rows), first seed',
    columns: ['', ...counts.map((_, digit) => String(digit))],
    rows: counts.map((row, digit) => [
      String(digit),
      ...row.map((count, other) => ({ text: count === 0 ? '·' : String(count), best: other === digit })),
    ]),
  }
}

const most = 20
const perRow = 10
const gap = 16

/** Pictures of the images that were misread, each with its digit and what was read instead. */
export function misread(digits: Digits, { first, read }: { first: number; read: Uint8Array }): Section {
  const wrong = [...read.keys()].filter((n) => read[n] !== digits.labels[first + n])
  const shown = wrong.slice(0, most)
  const [width, height] = [digits.columns + gap, digits.rows + 1.5 * gap]
  const drawings = shown.map((n, i) => {
    const [left, top] = [(i % perRow) * width, Math.floor(i / perRow) * height]
    const text = `${digits.labels[first + n]} read as ${read[n]}`
    return (
      `<g transform="translate(${left} ${top})">${pixelsOf(digits, first + n)}` +
      `<text x="0" y="${digits.rows + 9}" font-size="7" fill="currentColor">${text}</text></g>`
    )
  })
  const size = `0 0 ${perRow * width} ${Math.ceil(Math.max(1, shown.length) / perRow) * height}`
  return {
    kind: 'picture',
    svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${size}">${drawings.join('')}</svg>`,
    caption: `${shown.length} of the ${wrong.length} images misread, first seed`,
  }
}

/** A rectangle for each pixel that is not background. */
function pixelsOf({ rows, columns, pixels }: Digits, image: number): string {
  const shades = pixels.subarray(image * rows * columns, (image + 1) * rows * columns)
  return Array.from(shades, (shade, i) => {
    if (shade === 0) return ''
    const [x, y] = [i % columns, Math.floor(i / columns)]
    return `<rect x="${x}" y="${y}" width="1" height="1" fill="currentColor" fill-opacity="${shade.toFixed(1)}"/>`
  }).join('')
}
