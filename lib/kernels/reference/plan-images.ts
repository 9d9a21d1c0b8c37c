/** Steps of a plan on images: rows of B are images where they are frames, else their rows are the time steps. */
import type { FloatArray, PlanConv2d, PlanStep } from '../contract.ts'
import { type WindowOptions, windowsOver } from '../windows.ts'
import { conv2dForward } from './convolution.ts'
import { zerosLike } from './lstm-common.ts'
import type { Rows } from './plan.ts'
import { pool1dForward } from './pooling.ts'

type Pool2d = Extract<PlanStep, { kind: 'pool2d' }>
type GlobalPool2d = Extract<PlanStep, { kind: 'globalPool2d' }>
type Size = Pick<Rows, 'B' | 'T' | 'y'>

export function runConv2d(step: PlanConv2d, { B, T, y }: Size, x: FloatArray): void {
  const [images, height] = step.frames ? [B * T, step.height!] : [B, T]
  const [rows, columns] = [windowsOver(height, step), windowsOver(step.width!, step.columns)]
  conv2dForward({ ...step, B: images, rows, columns, x, y })
}

/** Along the columns of every row, then along the rows. */
export function runPool2d(step: Pool2d, { B, T, y }: Size, x: FloatArray): void {
  const [images, height, width] = step.frames ? [B * T, step.height!, step.width!] : [B, T, step.width!]
  const C = x.length / (images * height * width) || 1
  const over = (n: number, options: Omit<WindowOptions, 'dilation'>) =>
    windowsOver(n, { dilation: 1, ...options })
  const [rows, columns] = [over(height, step), over(width, step.columns)]
  const { countPadding } = step
  const narrow = zerosLike(y, images * height * columns.S * C)
  pool1dForward(step.function, { ...columns, B: images * height, C, countPadding, x, y: narrow })
  pool1dForward(step.function, { ...rows, B: images, C: columns.S * C, countPadding, x: narrow, y })
}

/** @param valid [B·T], which steps count; undefined where all do */
export function runGlobalPool2d(
  step: GlobalPool2d,
  valid: Uint8Array | undefined,
  { B, T, x, y }: Size & { x: FloatArray },
): void {
  const [images, height, width] = step.frames ? [B * T, step.height!, step.width!] : [B, T, step.width!]
  const places = height * width
  const C = x.length / (images * places) || 1
  const mask =
    valid && !step.frames
      ? Uint8Array.from({ length: B * places }, (_, n) => valid[Math.floor(n / width)])
      : undefined
  const windows = { T: places, S: 1, size: places, stride: 1, dilation: 1, before: 0 }
  pool1dForward(step.function, { ...windows, B: images, C, mask, countPadding: false, x, y })
}
