/** Layers models of TensorFlow.js: model.json and the shards beside it. */
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { FileFormatError } from '../../errors.ts'
import type { Sequential } from '../../layers/sequential.ts'
import { readInside } from '../folder.ts'
import { buildModel } from '../keras/build.ts'
import { invalid, layerOf, parseJson, record, type Source } from '../keras/layer-config.ts'
import { cutShards, readManifest, TfjsWeights } from './weights.ts'

const modelFile = 'model.json'

/**
 * Reads a layers model that TensorFlow.js saved, or its converter made of a Keras model: a folder with model.json, or
 * the path of that. It becomes a `Sequential` as with `loadKeras`, of the same layers, with what tfjs does differently:
 * its hard sigmoid has the slope 0.2 and is the LSTM's default, and masked steps of a Bidirectional are not zero.
 *
 * @throws {FileFormatError} if a file cannot be read, lies outside the folder, or has what this package has nothing for
 */
export async function loadTfjs(path: string): Promise<Sequential> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const [folder, name] = isFolder ? [path, modelFile] : [dirname(path), basename(path)]
  const json = await readInside(folder, name)
  const source: Source = { dialect: 'tfjs', path }
  const shards = new Map<string, Uint8Array>()
  for (const shard of shardsOf(source, json)) {
    if (!shards.has(shard)) shards.set(shard, await readInside(folder, shard))
  }
  return decodeTfjs(json, shards, path)
}

/**
 * `loadTfjs` on bytes.
 *
 * @param shards by their paths in model.json
 * @param path named in errors
 */
export function decodeTfjs(
  json: Uint8Array,
  shards: ReadonlyMap<string, Uint8Array>,
  path?: string,
): Sequential {
  const source: Source = { dialect: 'tfjs', path }
  const { topology, groups } = readModel(source, json)
  const stored = groups.flatMap((group) =>
    cutShards(
      source,
      group,
      group.paths.map((name) => shards.get(name) ?? missingShard(source, name)),
    ),
  )
  return buildModel(layerOf(source, topology), new TfjsWeights(stored, path))
}

function shardsOf(source: Source, json: Uint8Array): string[] {
  return readModel(source, json).groups.flatMap(({ paths }) => paths)
}

function readModel(source: Source, json: Uint8Array) {
  const model = record(source, parseJson(source, json, modelFile), modelFile)
  if (model.format === 'graph-model') {
    const message = 'is a graph model, whose layers are gone; convert the Keras model to a layers model'
    throw new FileFormatError(`${source.path ?? 'tfjs'}: ${message}`, {
      code: 'UnsupportedModel',
      path: source.path,
    })
  }
  const topology = record(source, model.modelTopology, 'modelTopology')
  // The converter puts it one deeper than tfjs.
  return { topology: topology.model_config ?? topology, groups: readManifest(source, model.weightsManifest) }
}

function missingShard(source: Source, name: string): never {
  return invalid(source, `its shard ${JSON.stringify(name)} is missing`)
}
