/** Weights in files beside the model: where they may lie, and which part of them a tensor is. */
import { dirname } from 'node:path'
import { isInside, readInside } from '../folder.ts'
import type { Fail } from './fail.ts'
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './schema.ts'
import type { External } from './tensors.ts'

/** The files that a model's tensors lie in, each checked to be a path inside the model's own folder. */
export function externalLocations(model: ModelProto, fail: Fail): Set<string> {
  const locations = new Set<string>()
  for (const tensor of tensorsOf(model))
    if (tensor.dataLocation === 1) locations.add(locationOf(tensor, fail))
  return locations
}

function* tensorsOf(model: ModelProto): Iterable<TensorProto> {
  if (model.graph) yield* tensorsOfGraph(model.graph)
  for (const { node } of model.functions) yield* tensorsOfNodes(node)
}

function* tensorsOfGraph({ initializer, node }: GraphProto): Iterable<TensorProto> {
  yield* initializer
  yield* tensorsOfNodes(node)
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Iterable<TensorProto> {
  for (const { attribute } of nodes) {
    for (const { t, g } of attribute) {
      if (t) yield t
      if (g) yield* tensorsOfGraph(g)
    }
  }
}

function entryOf(tensor: TensorProto, key: string): string | undefined {
  return tensor.externalData.find((entry) => entry.key === key)?.value
}

function locationOf(tensor: TensorProto, fail: Fail): string {
  const location = entryOf(tensor, 'location') ?? ''
  if (isInside(location)) return location
  return fail(
    'ExternalData',
    `tensor ${JSON.stringify(tensor.name)}: expected its data in the model's own folder, got ${JSON.stringify(location)}`,
    { tensor: tensor.name },
  )
}

/**
 * Cuts tensors out of external files. Each byte of them is used once, or by tensors that share all of it: a file cannot
 * stand for more weights than it holds.
 */
export function cutExternal(files: ReadonlyMap<string, Uint8Array>, fail: Fail): External {
  const parts = new Map<string, Uint8Array>()
  const used = new Map<string, number>()
  return (tensor, expected) => {
    const refuse = (message: string): never =>
      fail('ExternalData', `tensor ${JSON.stringify(tensor.name)}: ${message}`, { tensor: tensor.name })
    const numberOf = (key: string, otherwise: number): number => {
      const text = entryOf(tensor, key)
      if (text === undefined) return otherwise
      return /^\d{1,15}$/.test(text)
        ? Number(text)
        : refuse(`expected ${key} to be a number, got ${JSON.stringify(text)}`)
    }
    const location = locationOf(tensor, fail)
    const file = files.get(location)
    if (!file) return refuse(`its data are in ${JSON.stringify(location)}, which was not given`)
    const offset = numberOf('offset', 0)
    const length = numberOf('length', expected)
    if (length !== expected) refuse(`expected ${expected} bytes, got length ${length}`)
    if (offset + length > file.length) {
      refuse(`its data end at byte ${offset + length} of ${location}, which has ${file.length}`)
    }
    const key = JSON.stringify([location, offset, length])
    let part = parts.get(key)
    if (!part) {
      const total = (used.get(location) ?? 0) + length
      if (total > file.length) refuse(`its data overlap those of another tensor in ${location}`)
      used.set(location, total)
      parts.set(key, (part = file.subarray(offset, offset + length)))
    }
    return part
  }
}

/** Reads the external files of a model. Links are followed, but not out of the folder. */
export async function readExternal(
  modelPath: string,
  locations: ReadonlySet<string>,
  fail: Fail,
): Promise<Map<string, Uint8Array>> {
  const folder = dirname(modelPath)
  const files = new Map<string, Uint8Array>()
  for (const location of locations) {
    try {
      files.set(location, await readInside(folder, location))
    } catch (cause) {
      const { message } = cause as Error
      fail('ExternalData', `external data ${JSON.stringify(location)}: ${message}`, { cause })
    }
  }
  return files
}
