/** Which models are to be served: `PATH`, `NAME=PATH`, `NAME:VERSION=PATH`, and folders of versions. */
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

export interface ModelSource {
  readonly name: string
  readonly version: string
  readonly path: string
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const givenName = /^([A-Za-z0-9][A-Za-z0-9._-]*)(?::([A-Za-z0-9][A-Za-z0-9._-]*))?=(.+)$/s
const endings = /(\.pytorch\.safetensors|\.weights\.h5|\.safetensors\.index\.json|\.[A-Za-z0-9]+)$/

/**
 * Every model and version that the arguments name, as they lie on the disk now.
 *
 * @throws {TypeError} if one names nothing that can be served, or two name the same
 */
export async function findSources(models: readonly string[]): Promise<readonly ModelSource[]> {
  const sources = (await Promise.all(models.map(sourcesOf))).flat()
  for (const [i, { name, version, path }] of sources.entries()) {
    const twin = sources.findIndex((other) => other.name === name && other.version === version)
    if (twin < i) {
      throw new TypeError(
        `${sources[twin].path} and ${path}: expected different names or versions, got ${name} in version ${version} twice; give them as NAME:VERSION=PATH`,
      )
    }
  }
  return sources
}

async function sourcesOf(model: string): Promise<readonly ModelSource[]> {
  const [, name, version, path] = givenName.exec(model) ?? [undefined, undefined, undefined, model]
  const chosen = name ?? nameOf(path)
  if (chosen === 'stats')
    throw new TypeError(`${path}: /v2/models/stats is the statistics of all models: give it another name`)
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new TypeError(`${path}: cannot be served: ${error.message}`)
  })
  if (!found.isDirectory() || version !== undefined) return [{ name: chosen, version: version ?? '1', path }]
  const entries = await readdir(path, { withFileTypes: true })
  if (entries.some((entry) => entry.name === 'model.json')) return [{ name: chosen, version: '1', path }]
  const versions = entries.filter((entry) => entry.isDirectory() && /^\d+$/.test(entry.name))
  if (versions.length > 0)
    return Promise.all(versions.map((entry) => versionOf(chosen, entry.name, join(path, entry.name))))
  throw new TypeError(
    `${path}: expected a model file, a TensorFlow.js folder with model.json, or folders 1, 2, ... with a model each`,
  )
}

function nameOf(path: string): string {
  const name = basename(path).replace(endings, '')
  if (namePattern.test(name)) return name
  throw new TypeError(`${path}: give it a name of letters, digits, ".", "_" and "-": NAME=${path}`)
}

/** The model in the folder of a version: `model.*`, or the only file there is, or the folder itself for TensorFlow.js. */
async function versionOf(name: string, version: string, folder: string): Promise<ModelSource> {
  const entries = (await readdir(folder)).filter((entry) => !entry.startsWith('.'))
  if (entries.includes('model.json')) return { name, version, path: folder }
  const [file, second] = entries.filter((entry) => entry.startsWith('model.'))
  if (file && !second) return { name, version, path: join(folder, file) }
  if (entries.length === 1) return { name, version, path: join(folder, entries[0]) }
  throw new TypeError(`${folder}: expected one file model.*, such as model.safetensors`)
}

/** Orders versions: 2 before 10, and numbers before words. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
