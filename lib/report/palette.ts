/** The colours of pictures and reports, as CSS variables, so that one drawing serves a light and a dark page. */

/** CSS variables the pictures use. */
export const palette = {
  light: {
    ink: '#22262b',
    muted: '#6b737c',
    faint: '#e4e6e9',
    page: '#ffffff',
    accent: '#b8442f',
    second: '#2f6f9f',
    third: '#8a8f98',
  },
  dark: {
    ink: '#e6e7e9',
    muted: '#9aa1a9',
    faint: '#32373d',
    page: '#16191c',
    accent: '#f0836b',
    second: '#7fb5dd',
    third: '#868d96',
  },
}

export type Palette = typeof palette.light

/** CSS that gives the variables their values, light or dark as the reader prefers. */
export function paletteStyle(): string {
  const rules = (colours: Palette) =>
    Object.entries(colours)
      .map(([name, value]) => `--${name}:${value}`)
      .join(';')
  return `:root{${rules(palette.light)}}@media(prefers-color-scheme:dark){:root{${rules(palette.dark)}}}`
}

/** An SVG that carries its colours with it, on a ground of its own with a margin, for use outside a report. */
export function standaloneSvg(svg: string): string {
  const margin = 14
  const background = '<rect x="-50%" y="-50%" width="200%" height="200%" fill="var(--page)"/>'
  return svg
    .replace(/ width="(\d+)" height="(\d+)" viewBox="0 0 \d+ \d+"/, (_, width, height) => {
      const [w, h] = [Number(width) + 2 * margin, Number(height) + 2 * margin]
      return ` width="${w}" height="${h}" viewBox="${-margin} ${-margin} ${w} ${h}"`
    })
    .replace(/<svg[^>]*>/, (opening) => `${opening}<style>${paletteStyle()}</style>${background}`)
}
