/** Where the command writes: results to `out`, progress and errors to `error`. Tests bring their own. */

export interface Terminal {
  out(text: string): void
  error(text: string): void
  /** Whether errors go to a screen, where a progress bar can redraw itself. */
  isInteractive: boolean
}

export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
  isInteractive: process.stderr.isTTY === true,
}

/** Text with names and notes of a stranger in it: control characters, which could command a terminal, are shown as \x1b. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) =>
    character === '\n' ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

/** Rows as text in columns: the first flush left, the others flush right. */
export function textTable(rows: readonly (readonly string[])[], { flushLeft = 1 } = {}): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  const cell = (text: string, i: number) =>
    i < flushLeft ? text.padEnd(widths[i]) : text.padStart(widths[i])
  return rows.map((row) => `${row.map(cell).join('  ').trimEnd()}\n`).join('')
}

/** 2284 as 2,284. */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** 1536 as 1.5 KiB. */
export function bytes(value: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? count(value) : value.toFixed(1)} ${units[unit]}`
}

/** Seconds as 9.3 s or 2 min 05 s. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}
