/** What is asked beside what was measured. */
import { formatTable, threeDigits } from '../table.ts'

export interface Figure {
  /** Of `--only`. */
  point: number
  name: string
  value: number
  asked: number
  /** Whether `asked` is the least that is good, or the most. */
  bound: 'at least' | 'at most'
  unit: string
  /** The best value that this machine's limits allow. */
  possible?: number
}

/** NaN, of nothing measured, is short of everything. */
export function isMet({ value, asked, bound }: Figure): boolean {
  return bound === 'at least' ? value >= asked : value <= asked
}

export function describeFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    `${figure.point}  ${figure.name}`,
    withUnit(figure.value, figure),
    `${figure.bound} ${withUnit(figure.asked, figure)}`,
    isMet(figure) ? 'pass' : 'SHORT',
    figure.possible === undefined ? '' : withUnit(figure.possible, figure),
  ])
  return formatTable(['figure', 'measured', 'asked', '', 'machine allows'], rows)
}

/** A sentence for each figure that falls short. */
export function shortfalls(figures: readonly Figure[]): string[] {
  return figures
    .filter((figure) => !isMet(figure))
    .map((figure) => {
      const { point, name, value, asked, bound } = figure
      return `${point}  ${name}: ${withUnit(value, figure)}, asked ${bound} ${withUnit(asked, figure)}`
    })
}

function withUnit(value: number, { unit }: Figure): string {
  const number = Number.isInteger(value) ? String(value) : threeDigits(value)
  return unit ? `${number} ${unit}` : number
}
