/** What safetensors hold, of this package or of PyTorch: the header alone is read. */
import type { LayerConfig } from '../../layers/layer.ts'
import { sizeOf } from '../../tensor.ts'
import { configKey, isTrainingTensor, trainingKey } from '../checkpoint.ts'
import { findModules, type Module, prefixOf } from '../pytorch/modules.ts'
import { proposeSpecification } from '../pytorch/propose.ts'
import type { LayerSpecification } from '../pytorch/specification.ts'
import { openSafetensors, openShards, type TensorInfo } from '../safetensors/index.ts'
import type { Inspection, LayerRow, TensorRow } from './inspection.ts'
import { describeLayer, layerRows } from './layers.ts'
import { shown } from './metadata.ts'
import { portsOf } from './ports.ts'

/** @param path a file, or the index of a model in several */
export async function inspectSafetensors(path: string): Promise<Inspection> {
  const file = await (path.endsWith('.json') ? openShards(path) : openSafetensors(path))
  await file.close()
  const isCheckpoint = file.metadata.has(trainingKey)
  const own = new Map([...file.tensors].filter(([name]) => !(isCheckpoint && isTrainingTensor(name))))
  const text = file.metadata.get(configKey)
  const model = text === undefined ? fromNames(own) : fromConfig(text, own)
  const what = isCheckpoint ? 'checkpoint' : 'model'
  return {
    format: text === undefined ? 'safetensors' : `safetensors, ${what} of lstm-native`,
    ...model,
    tensors: [...file.tensors].map(tensorRow),
    metadata: shown(file.metadata),
  }
}

function tensorRow([name, { shape, dataType, start, end }]: [string, TensorInfo]): TensorRow {
  return { name, dataType, shape, parameters: sizeOf(shape), bytes: end - start }
}

type Model = Pick<Inspection, 'inputs' | 'outputs' | 'layers' | 'parameters' | 'proposal' | 'problem'>

/** The configuration comes from a file and may be anything: only what reads as a model's is shown as one. */
function fromConfig(text: string, tensors: ReadonlyMap<string, TensorInfo>): Model {
  const sizes = [...tensors].map(([name, { shape }]) => [name, sizeOf(shape)] as const)
  const parameters = sizes.reduce((sum, [, size]) => sum + size, 0)
  try {
    const { model } = JSON.parse(text) as { model: LayerConfig }
    return { ...portsOf(model), layers: layerRows(model, sizes), parameters }
  } catch (error) {
    const problem = `its configuration is not understood: ${(error as Error).message}`
    return { inputs: [], outputs: [], layers: [], parameters, problem }
  }
}

function fromNames(tensors: ReadonlyMap<string, TensorInfo>): Model {
  const { modules, strangers } = findModules(tensors)
  const proposal = proposeSpecification(tensors)
  const order = proposal.specification.map((each) => (typeof each === 'string' ? each : prefixIn(each)))
  const ordered = [...modules.values()].sort((a, b) => order.indexOf(a.prefix) - order.indexOf(b.prefix))
  const parametersOf = (prefix: string) => {
    const own = modules.get(prefix)?.shapes
    const isOwn = (name: string) => prefixOf(name) === prefix || own?.has(name)
    return [...tensors].reduce((sum, [name, { shape }]) => sum + (isOwn(name) ? sizeOf(shape) : 0), 0)
  }
  const rows: LayerRow[] = [
    ...ordered.map((module) => ({ name: module.prefix, kind: kindOf(module) })),
    ...[...strangers].map(([prefix, reason]) => ({ name: prefix, kind: `unknown: ${reason}` })),
  ].map(({ name, kind }) => ({ name: name || '(top)', kind, parameters: parametersOf(name) }))
  return {
    inputs: [],
    outputs: [],
    layers: rows,
    parameters: rows.reduce((sum, row) => sum + row.parameters, 0),
    proposal,
  }
}

function prefixIn(each: Exclude<LayerSpecification, string>): unknown {
  return 'prefix' in each ? each.prefix : undefined
}

function kindOf({ types, options, shapes }: Module): string {
  if (types[0] === 'MultiHeadAttention')
    return describeLayer({ type: types[0], heads: 1, ...options }).replace('1 heads', 'heads not told')
  if (types.length === 1) return describeLayer({ type: types[0], ...options })
  return `${types.join(' or ')}, matrix ${[...shapes.values()][0].join(' × ')}`
}
