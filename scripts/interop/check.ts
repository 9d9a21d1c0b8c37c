/** A recorded case on every path that a model takes through this package. */
import { readSafetensors } from '../../lib/formats/safetensors/index.ts'
import { useBackend } from '../../lib/kernels/index.ts'
import { type Case, type Difference, tolerance, worst } from './case.ts'
import { loadCase } from './models.ts'

export interface Verdict {
  passed: boolean
  /** By the name of the path: reference, native and, where the model has a frozen form, compiled. */
  paths: ReadonlyMap<string, Difference>
}

/** @throws {Error} if the model cannot be loaded or run, saying on which path */
export async function check(each: Case & { io: string }): Promise<Verdict> {
  const { tensors } = await readSafetensors(each.io)
  const paths = new Map<string, Difference>()
  for (const name of ['reference', 'native'] as const) {
    try {
      useBackend(name)
      const model = await loadCase(each)
      paths.set(name, model.run(tensors))
      const compiled = name === 'native' ? model.runCompiled(tensors) : undefined
      if (compiled) paths.set('compiled', compiled)
    } catch (cause) {
      throw new Error(`${name}: ${(cause as Error).message}`, { cause })
    }
  }
  return { passed: worst([...paths.values()]).error <= tolerance, paths }
}
