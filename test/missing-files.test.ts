/** A file that is not there, or is a folder, is the same error of every reader: it names the path and the system's code. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Linear, load, readMetadata, Sequential } from 'lstm-native'
import {
  convert,
  detectFormat,
  inspect,
  loadKeras,
  loadKerasWeights,
  loadOnnx,
  loadPyTorch,
  loadPyTorchWeights,
  loadTfjs,
  openSafetensors,
  openShards,
  readSafetensors,
} from 'lstm-native/formats'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-missing-'))
afterAll(() => rmSync(folder, { recursive: true }))
const model = () => new Sequential([new Linear({ inputSize: 1, outputSize: 1 })])

type Read = (path: string) => Promise<unknown>
const readers: [name: string, ending: string, read: Read][] = [
  ['load', 'safetensors', load],
  ['readMetadata', 'safetensors', readMetadata],
  ['openSafetensors', 'safetensors', openSafetensors],
  ['readSafetensors', 'safetensors', readSafetensors],
  ['openShards', 'safetensors.index.json', openShards],
  ['loadPyTorch', 'safetensors', loadPyTorch],
  ['loadPyTorch', 'safetensors.index.json', loadPyTorch],
  ['loadPyTorchWeights', 'safetensors', (path) => loadPyTorchWeights(model(), path)],
  ['loadKeras', 'keras', loadKeras],
  ['loadKerasWeights', 'weights.h5', (path) => loadKerasWeights(model(), path)],
  ['loadOnnx', 'onnx', loadOnnx],
  ['loadTfjs', 'json', loadTfjs],
]
const anyFormat: [name: string, read: Read][] = [
  ['detectFormat', detectFormat],
  ['inspect', inspect],
  ['convert', (path) => convert(path, join(folder, 'converted.safetensors'))],
]
const endings = [...new Set(readers.map(([, ending]) => ending))]
const all = [
  ...readers,
  ...anyFormat.flatMap(([name, read]) =>
    endings.map((ending): [string, string, Read] => [name, ending, read]),
  ),
]

function errorOf(code: string, path: string): object {
  return { name: 'FileFormatError', code, path, message: expect.stringContaining(path) }
}

describe('what is not there', () => {
  it.each(all)('is told by %s of .%s', async (_, ending, read) => {
    const path = join(folder, `none.${ending}`)
    await expect(read(path)).rejects.toMatchObject(errorOf('ENOENT', path))
    const deep = join(folder, 'no-folder', `none.${ending}`)
    await expect(read(deep)).rejects.toMatchObject(errorOf('ENOENT', deep))
  })

  it('is told of what an index and a manifest name', async () => {
    const index = join(folder, 'index.safetensors.index.json')
    writeFileSync(index, JSON.stringify({ weight_map: { w: 'shard.safetensors' } }))
    await expect(openShards(index)).rejects.toMatchObject(
      errorOf('ENOENT', join(folder, 'shard.safetensors')),
    )
    const json = { modelTopology: {}, weightsManifest: [{ paths: ['shard.bin'], weights: [] }] }
    writeFileSync(join(folder, 'model.json'), JSON.stringify(json))
    await expect(loadTfjs(folder)).rejects.toMatchObject(errorOf('ENOENT', join(folder, 'shard.bin')))
  })
})

describe('a folder in the place of a file', () => {
  it.each(
    readers.filter(([name]) => name !== 'loadTfjs'),
  )('is told by %s of .%s', async (_, ending, read) => {
    const path = join(folder, `folder.${ending}`)
    mkdirSync(path, { recursive: true })
    await expect(read(path)).rejects.toMatchObject(errorOf('NoFile', path))
  })
})
