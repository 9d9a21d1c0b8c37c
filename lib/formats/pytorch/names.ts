/** Names of parameters, here and in PyTorch. */
import { nearestName } from '../../errors.ts'
import type { Tensor } from '../../tensor.ts'
import { prefixOf } from './modules.ts'

/**
 * Parameters under other names: `prefixes` has for a path in the model the one that takes its place, the longest path
 * that fits counting. `''` stands for the whole model, or for no prefix.
 *
 * @throws {TypeError} if a path is in no parameter's name
 * @throws {RangeError} if two parameters come to have one name
 */
export function rename(
  place: string,
  parameters: ReadonlyMap<string, Tensor>,
  prefixes: Readonly<Record<string, string>>,
): Map<string, Tensor> {
  const paths = Object.keys(prefixes).sort((a, b) => b.length - a.length)
  const unused = new Set(paths)
  const renamed = new Map<string, Tensor>()
  for (const [name, parameter] of parameters) {
    const path = paths.find((each) => each === '' || name.startsWith(`${each}.`))
    if (path !== undefined) unused.delete(path)
    const rest = path ? name.slice(path.length + 1) : name
    const other = path === undefined || prefixes[path] === '' ? rest : `${prefixes[path]}.${rest}`
    if (renamed.has(other))
      throw new RangeError(`${place}: the prefixes give two parameters the name ${other}`)
    renamed.set(other, parameter)
  }
  for (const path of unused) {
    const known = [...new Set([...parameters.keys()].map((name) => prefixOf(name)))]
    const nearest = nearestName(path, known)
    const hint = nearest ? `did you mean ${JSON.stringify(nearest)}?` : `it has ${known.join(', ')}`
    throw new TypeError(`${place}: the model has no parameters under ${JSON.stringify(path)}; ${hint}`)
  }
  return renamed
}

/** The count of batches that BatchNorm has there beside its running statistics: a momentum of None alone needs it. */
const count = 'num_batches_tracked'
const beside = 'running_mean'

/** The name of the count beside a running mean; undefined for any other tensor. */
export function countBeside(name: string): string | undefined {
  return name === beside || name.endsWith(`.${beside}`) ? name.slice(0, -beside.length) + count : undefined
}

/** Tensors of a file without the counts beside the running means that a model has. */
export function withoutCounts<T>(
  known: ReadonlyMap<string, unknown>,
  tensors: ReadonlyMap<string, T>,
): Map<string, T> {
  const counts = new Set([...known.keys()].map(countBeside))
  return new Map([...tensors].filter(([name]) => !counts.has(name)))
}
