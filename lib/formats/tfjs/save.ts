/** A layers model as a folder, of which whoever looks finds the old one or the new one whole. */
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { refuseUnknownOptions, requireInteger } from '../../errors.ts'
import type { Model } from '../../layers/layer.ts'
import { writeFileAtomically } from '../atomic.ts'
import { system } from '../files.ts'
import type { SaveKerasOptions } from '../keras/write.ts'
import { encodeTfjs } from './write.ts'

/** What this package, TensorFlow.js and its converter call shards. */
const shardPattern = /^group\d+-shard\d+of\d+(-[0-9a-f]+)?\.bin$/

/**
 * Writes a model as a folder that `tf.loadLayersModel` of TensorFlow.js takes: model.json and one shard, in float32.
 *
 * A model that is there already is replaced as one: the new shard has another name, the new model.json takes the place of
 * the old one, and the shards that only the old one named are removed. A process killed in between leaves one of the two
 * models, and perhaps the other's shard beside it.
 *
 * @throws {FileFormatError} for a layer or an option that tfjs has nothing for, and if a file cannot be written; a model that
 *   was there is there still
 */
export async function saveTfjs(model: Model, folder: string, options: SaveKerasOptions = {}): Promise<void> {
  refuseUnknownOptions('saveTfjs', options, ['steps'])
  if (options.steps !== undefined) requireInteger('saveTfjs', 'steps', options.steps)
  const files = encodeTfjs(model, options)
  await system(folder, () => mkdir(folder, { recursive: true }), 'cannot be made')
  const before = (await namedShards(folder)) ?? []
  try {
    for (const [name, bytes] of files) await writeFileAtomically(join(folder, name), bytes)
  } finally {
    await removeStray(folder, [...before, ...files.keys()])
  }
}

/** Removes those of the shards that the folder's model.json does not name; none if it cannot be told. */
async function removeStray(folder: string, names: readonly string[]): Promise<void> {
  const named = await namedShards(folder)
  if (!named) return
  for (const name of names.filter((each) => shardPattern.test(each) && !named.includes(each))) {
    const path = join(folder, name)
    await system(path, () => rm(path, { force: true }), 'cannot be removed')
  }
}

/** The paths in a folder's model.json: none without the file, undefined if it is no manifest. */
async function namedShards(folder: string): Promise<string[] | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, 'model.json'), 'utf8')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : undefined
  }
  try {
    const { weightsManifest } = JSON.parse(text) as { weightsManifest: { paths: unknown[] }[] }
    return weightsManifest.flatMap(({ paths }) => paths.filter((path) => typeof path === 'string'))
  } catch {
    return undefined
  }
}
