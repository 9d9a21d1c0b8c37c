/**
 * Which axis of a value is which, followed through a graph: b batch, t time, f features, d directions of an LSTM, 1 an
 * axis of length 1, h and w rows and columns of images; a row of several steps is written bt or tb. c are features that were an
 * image, its channels first: here they come last, so that such features stand in another order.
 */
export type Axis = 'b' | 't' | 'f' | 'd' | '1' | 'h' | 'w' | 'c' | 'bt' | 'tb'

export interface LabelledShape {
  readonly axes: readonly Axis[]
  readonly shape: readonly number[]
}

/**
 * The axes after a reshape, found by aligning both shapes from the front.
 *
 * @returns undefined if axes are torn apart or joined in a way that no layer does; `flattened` if steps, or rows and columns,
 *   became features
 */
export function reshapedAxes(
  { axes, shape }: LabelledShape,
  target: readonly number[],
): { axes: Axis[]; flattened: boolean } | undefined {
  const result: Axis[] = []
  let flattened = false
  let i = 0
  for (let j = 0; j < target.length; j++) {
    // What is 1 long may vanish, but not where its counterpart stands.
    while (i < shape.length && shape[i] === 1 && target[j] !== 1 && isEmpty(axes[i])) i++
    if (i < shape.length && shape[i] === target[j]) result.push(axes[i++])
    else if (target[j] === 1) result.push('1')
    else if (i < shape.length && shape[i] > target[j]) {
      const [first, second] = axes[i] === 'bt' ? ['b', 't'] : axes[i] === 'tb' ? ['t', 'b'] : []
      if (!first || target[j] * target[j + 1] !== shape[i]) return undefined
      result.push(first as Axis, second as Axis)
      i++
      j++
    } else {
      let product = 1
      let joined = ''
      while (i < shape.length && product < target[j]) {
        product *= shape[i]
        joined += axes[i++]
      }
      const axis = joinedAxis(joined)
      if (product !== target[j] || !axis) return undefined
      flattened ||= /[thw]/.test(joined) && (axis === 'f' || axis === 'c')
      result.push(axis)
    }
  }
  return axes.slice(i).every(isEmpty) && shape.slice(i).every((n) => n === 1)
    ? { axes: result, flattened }
    : undefined
}

function isEmpty(axis: Axis): boolean {
  return axis === '1' || axis === 'd'
}

function joinedAxis(joined: string): Axis | undefined {
  const axes = joined.replaceAll('1', '')
  if (axes === 'bt' || axes === 'tb' || axes === 'b' || axes === 't') return axes
  if (axes === 'fhw') return 'c'
  return ['f', 'df', 'tf', 'tdf', 'hwf', 'c'].includes(axes) ? (axes === 'c' ? 'c' : 'f') : undefined
}
