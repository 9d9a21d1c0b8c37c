/** The modules of PyTorch that the names and shapes of a state_dict tell of. */
import { isAttention, recognise } from './recognise.ts'

export type ModuleType =
  | 'LSTM'
  | 'LSTMCell'
  | 'RNN'
  | 'Linear'
  | 'Embedding'
  | 'LayerNorm'
  | 'BatchNorm'
  | 'Conv1d'
  | 'Conv2d'
  | 'MultiHeadAttention'

export type Shape = readonly number[]
export type Shapes = ReadonlyMap<string, Shape>

/** A module, its layer's options as far as they can be told, and the tensors that it then has. */
export interface Module {
  prefix: string
  /** Two where a matrix without a bias may be the one or the other. */
  types: readonly ModuleType[]
  options: Readonly<Record<string, number | boolean | string | readonly number[]>>
  /** Under their names in the file. */
  shapes: Shapes
}

/** The modules of a file by their prefixes; `strangers` are prefixes of tensors that make none of them, and why. */
export interface Found {
  modules: Map<string, Module>
  strangers: Map<string, string>
}

/**
 * What stands before the last dot of a tensor's name is a module's prefix; `''` that of a module saved alone. The last
 * projection of attention belongs to the attention.
 */
export function findModules(tensors: ReadonlyMap<string, { shape: Shape; dataType: string }>): Found {
  const groups = new Map<string, Map<string, Shape>>()
  const doubles = new Set<string>()
  for (const [name, { shape, dataType }] of tensors) {
    const prefix = prefixOf(name)
    const local = prefix === '' ? name : name.slice(prefix.length + 1)
    let group = groups.get(prefix)
    if (!group) groups.set(prefix, (group = new Map()))
    group.set(local, shape)
    if (dataType === 'F64') doubles.add(prefix)
  }
  for (const [prefix, group] of [...groups].filter(([, each]) => isAttention(each))) {
    const inner = fullName(prefix, 'out_proj')
    for (const [local, shape] of groups.get(inner) ?? []) group.set(`out_proj.${local}`, shape)
    groups.delete(inner)
  }
  const modules = new Map<string, Module>()
  const strangers = new Map<string, string>()
  for (const [prefix, group] of groups) {
    const found = recognise(group)
    if (typeof found === 'string') {
      strangers.set(prefix, found)
      continue
    }
    const dataType = doubles.has(prefix) ? 'float64' : 'float32'
    const shapes = new Map([...found.shapes].map(([local, shape]) => [fullName(prefix, local), shape]))
    modules.set(prefix, { prefix, ...found, options: { ...found.options, dataType }, shapes })
  }
  return { modules, strangers }
}

export function prefixOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')))
}

/** A tensor's name in the file. */
export function fullName(prefix: string, local: string): string {
  return prefix === '' ? local : `${prefix}.${local}`
}

/** The options that make a matrix [rows, columns] the weight of a layer of this type. */
export function matrixOptions(type: 'Linear' | 'Embedding', [rows, columns]: Shape) {
  if (type === 'Linear') return { inputSize: columns, outputSize: rows, bias: false }
  return { vocabularySize: rows, embeddingSize: columns }
}

/** The last axis that a module reads, where its shapes tell. */
export function inputSizeOf({ types, options, shapes }: Module): number | undefined {
  if (types.length > 1) return matrixOf(shapes)[1]
  return (options.inputSize ?? options.size ?? options.inputChannels ?? options.embedSize) as
    | number
    | undefined
}

/** What a matrix that comes first is, where the input of the next module shows it. */
export function matrixType({ shapes }: Module, next: Module | undefined): 'Linear' | 'Embedding' | undefined {
  const [rows, columns] = matrixOf(shapes)
  const expected = next && inputSizeOf(next)
  if (rows === columns || expected === undefined) return undefined
  if (expected === columns) return 'Embedding'
  return expected === rows ? 'Linear' : undefined
}

export function matrixOf(shapes: Shapes): Shape {
  return shapes.values().next().value!
}
