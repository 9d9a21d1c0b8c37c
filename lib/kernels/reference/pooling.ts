/** The largest or the average of the steps of a window. */
import type { Pool, Pool1dBackward, Pool1dForward } from '../windows.ts'

/** y[b, s, c] from x over the steps of window s that count; 0 where none does. */
export function pool1dForward(kind: Pool, call: Pool1dForward): void {
  const { C, size, countPadding, x, y } = call
  eachWindow(call, (row, steps) => {
    for (let c = 0; c < C; c++) {
      const values = steps.map((step) => x[step * C + c])
      if (values.length === 0) y[row * C + c] = 0
      else if (kind === 'max') y[row * C + c] = values.reduce((most, value) => Math.max(most, value))
      else y[row * C + c] = values.reduce((sum, value) => sum + value) / (countPadding ? size : values.length)
    }
  })
}

/** dx += dy / n at each step that counts, or dy at the first of them that is not below y. */
export function pool1dBackward(kind: Pool, call: Pool1dBackward): void {
  const { C, size, countPadding, x, y, dy, dx } = call
  eachWindow(call, (row, steps) => {
    for (let c = 0; c < C; c++) {
      const upstream = dy[row * C + c]
      if (kind === 'max') {
        const first = steps.find((step) => !(x[step * C + c] < y[row * C + c]))
        if (first !== undefined) dx[first * C + c] += upstream
      } else {
        for (const step of steps) dx[step * C + c] += upstream / (countPadding ? size : steps.length)
      }
    }
  })
}

/** Visits row = b·S + s of the output with the rows b·T + t of the input that count for it. */
function eachWindow(call: Pool1dForward, visit: (row: number, steps: readonly number[]) => void): void {
  const { B, T, S, size, stride, dilation, before, mask } = call
  for (let b = 0; b < B; b++) {
    for (let s = 0; s < S; s++) {
      const steps: number[] = []
      for (let k = 0; k < size; k++) {
        const t = s * stride - before + k * dilation
        if (t >= 0 && t < T && mask?.[b * T + t] !== 0) steps.push(b * T + t)
      }
      visit(b * S + s, steps)
    }
  }
}
