/** The readers, each with true small files to start from, the changes that its format invites, and what must come of them. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileFormatError } from '../../lib/errors.ts'
import { load, save } from '../../lib/formats/checkpoint.ts'
import { Hdf5File } from '../../lib/formats/hdf5/reader.ts'
import { decodeKeras, decodeKerasWeights } from '../../lib/formats/keras/index.ts'
import { loadPyTorch } from '../../lib/formats/pytorch/index.ts'
import {
  decodeSafetensors,
  decodeShardIndex,
  openSafetensors,
  openShards,
} from '../../lib/formats/safetensors/index.ts'
import { decodeTfjs } from '../../lib/formats/tfjs/index.ts'
import { openZip } from '../../lib/formats/zip.ts'
import { mutateSafetensors, mutateText, mutateZip } from './containers.ts'
import { mutateHdf5 } from './hdf5.ts'
import { type Files, type Mutation, mutateBytes } from './mutation.ts'
import { onnxReaders } from './onnx.ts'
import { eachOf, first, madeHere, onFirst, type Reader, sample } from './reader.ts'
import { checkLayers } from './right.ts'

/** All readers. `folder` is where inputs of those that read from the disk lie meanwhile. */
export async function makeReaders(): Promise<{ readers: Reader[]; close(): void }> {
  const folder = join(tmpdir(), `fuzz-formats-${process.pid}`)
  mkdirSync(folder, { recursive: true })
  const readers = [
    safetensors(),
    opened(folder),
    shardIndex(),
    shards(folder),
    await checkpoints(folder),
    pytorch(folder),
    zip(),
    hdf5(),
    keras(),
    kerasWeights(),
    tfjs(),
    ...onnxReaders(),
  ]
  return { readers, close: () => rmSync(folder, { recursive: true, force: true }) }
}

const safetensorsSamples = [
  'cell.pytorch',
  'convolved.pytorch',
  'double.pytorch',
  'half.pytorch',
  'sequential.pytorch',
  'tagger_dynamo.io',
].map((name) => sample(`interop/${name}.safetensors`))

function safetensors(): Reader {
  return {
    name: 'decodeSafetensors',
    share: 340,
    samples: safetensorsSamples,
    mutate: eachOf(mutateSafetensors),
    read: (files) => checkStored(decodeSafetensors(first(files)).tensors),
  }
}

function checkStored(
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: ArrayLike<unknown> }>,
): void {
  for (const [name, { shape, data }] of tensors) {
    if (shape.reduce((product, n) => product * n, 1) !== data.length)
      throw new Error(`${name} has shape [${shape}] and ${data.length} elements`)
  }
}

/** From the disk, a tensor at a time; as large as the file says when it is opened. */
function opened(folder: string): Reader {
  return {
    name: 'openSafetensors',
    share: 40,
    samples: safetensorsSamples,
    mutate: eachOf(mutateSafetensors),
    read: (files) =>
      onDisk(folder, files, async (path) => {
        await using file = await openSafetensors(path)
        for (const name of file.tensors.keys()) checkStored(new Map([[name, await file.read(name)]]))
      }),
  }
}

async function onDisk(folder: string, files: Files, use: (path: string) => Promise<unknown>): Promise<void> {
  const paths = [...files.keys()].map((name) => join(folder, name))
  for (const [i, bytes] of [...files.values()].entries()) writeFileSync(paths[i], bytes)
  try {
    await use(paths[0])
  } finally {
    for (const path of paths) rmSync(path)
  }
}

const index = new TextEncoder().encode(
  JSON.stringify({
    metadata: { total_size: 1136 },
    weight_map: {
      'cell.weight_ih': 'cell.pytorch.safetensors',
      'cell.weight_hh': 'cell.pytorch.safetensors',
      '0.weight': 'sequential.pytorch.safetensors',
    },
  }),
)

function shardIndex(): Reader {
  return {
    name: 'decodeShardIndex',
    share: 200,
    samples: [new Map([['model.safetensors.index.json', index]])],
    mutate: eachOf(mutateText),
    read: (files) => {
      for (const name of decodeShardIndex(first(files)).values())
        if (/[/\\:]|^\.\.?$/.test(name)) throw new Error(`${name} leads out of the folder`)
    },
  }
}

function shards(folder: string): Reader {
  const beside = sample('interop/cell.pytorch.safetensors', 'interop/sequential.pytorch.safetensors')
  const tensors = [...beside].flatMap(([file, bytes]) =>
    [...decodeSafetensors(bytes).tensors.keys()].map((name) => [name, file] as const),
  )
  const json = new TextEncoder().encode(JSON.stringify({ weight_map: Object.fromEntries(tensors) }))
  return {
    name: 'openShards',
    share: 10,
    samples: [new Map([['model.safetensors.index.json', json], ...beside])],
    mutate: eachOf(mutateText),
    read: (files) =>
      onDisk(folder, files, async (path) => {
        await using file = await openShards(path)
        for (const name of file.tensors.keys()) await file.read(name)
      }),
  }
}

async function checkpoints(folder: string): Promise<Reader> {
  const samples: Files[] = []
  for (const model of madeHere()) {
    const path = join(folder, 'made.safetensors')
    await save(model, path)
    samples.push(new Map([['model.safetensors', new Uint8Array(readFileSync(path))]]))
  }
  return {
    name: 'load',
    share: 40,
    samples,
    mutate: eachOf(mutateSafetensors),
    read: (files) => onDisk(folder, files, async (path) => checkLayers(await load(path))),
  }
}

function pytorch(folder: string): Reader {
  return {
    name: 'loadPyTorch',
    share: 40,
    samples: [
      ...['cell', 'convolved', 'double', 'half', 'sequential', 'tagger', 'projected'],
      ...['elman', 'imaged', 'attended'],
    ].map((name) => sample(`interop/${name}.pytorch.safetensors`)),
    mutate: eachOf(mutateSafetensors),
    read: (files) => onDisk(folder, files, async (path) => checkLayers(await loadPyTorch(path))),
  }
}

function ofEntry(name: string): (bytes: Uint8Array, mutations: readonly Mutation[]) => Uint8Array {
  if (name.endsWith('.json')) return (bytes, mutations) => mutations.reduce(mutateText, bytes)
  return name.endsWith('.h5') ? mutateHdf5 : (bytes, mutations) => mutations.reduce(mutateBytes, bytes)
}

const archives = [
  'interop/keras_hard_sigmoid',
  'interop/keras_forecaster',
  'keras/lstm_relu',
  'keras/windows',
  'keras/images',
  'keras/films',
  'keras/simple_rnn',
].map((name) => sample(`${name}.keras`))

function zip(): Reader {
  return {
    name: 'openZip',
    share: 60,
    samples: archives.slice(0, 1),
    mutate: onFirst((bytes, mutations) => mutateZip(bytes, mutations, ofEntry)),
    read: (files) => {
      const archive = openZip(first(files))
      for (const name of archive.names) archive.read(name)
    },
  }
}

function hdf5(): Reader {
  return {
    name: 'Hdf5File',
    share: 70,
    samples: [
      'keras/forms.h5',
      'keras/forms_latest.h5',
      'keras/refused.h5',
      'keras/keras2_functional_chunks.h5',
      'interop/keras_hard_sigmoid.weights.h5',
    ].map((name) => sample(name)),
    mutate: onFirst(mutateHdf5),
    read: (files) => {
      const file = new Hdf5File(first(files))
      // As far as a loader goes, which asks for what it knows of.
      const walk = (path: string, depth: number) => {
        for (const name of (file.children(path) ?? []).slice(0, 50)) {
          const inner = `${path === '/' ? '' : path}/${name}`
          const use = () => {
            if (file.children(inner) !== undefined) return depth < 4 ? walk(inner, depth + 1) : undefined
            const { shape, read } = file.dataset(inner)
            checkStored(new Map([[inner, { shape, data: read() }]]))
          }
          tolerate(use)
        }
      }
      for (const name of ['layer_names', 'model_config', 'texts', 'name'])
        tolerate(() => file.attribute('/', name))
      walk('/', 0)
    },
  }
}

/** One part of a file that is refused leaves the others to be read. */
function tolerate(use: () => unknown): void {
  try {
    use()
  } catch (error) {
    if (!(error instanceof FileFormatError)) throw error
  }
}

function keras(): Reader {
  const legacy = [...['keras2_sequential', 'keras2_functional_chunks', 'masking_holes', 'images_nested']].map(
    (name) => sample(`keras/${name}.h5`),
  )
  return {
    name: 'decodeKeras',
    share: 50,
    samples: [...archives, ...legacy],
    mutate: (files, mutations) => {
      const isArchive = files.keys().next().value!.endsWith('.keras')
      const change = (bytes: Uint8Array) =>
        isArchive ? mutateZip(bytes, mutations, ofEntry) : mutateHdf5(bytes, mutations)
      return onFirst(change)(files, mutations)
    },
    read: (files) => checkLayers(decodeKeras(first(files))),
  }
}

function kerasWeights(): Reader {
  const path = 'interop/keras_hard_sigmoid'
  const model = decodeKeras(first(sample(`${path}.keras`)))
  return {
    name: 'decodeKerasWeights',
    share: 20,
    samples: [sample(`${path}.weights.h5`)],
    mutate: onFirst(mutateHdf5),
    read: (files) => {
      decodeKerasWeights(model, first(files))
      checkLayers(model)
    },
  }
}

function tfjs(): Reader {
  return {
    name: 'decodeTfjs',
    share: 50,
    samples: [
      ...['tfjs_bidirectional', 'tfjs_forecaster'].map((name) =>
        sample(`interop/${name}.tfjs/model.json`, `interop/${name}.tfjs/group1-shard1of1.bin`),
      ),
      ...['tfjs_films', 'tfjs_images'].map((name) =>
        sample(`tfjs/${name}.tfjs/model.json`, `tfjs/${name}.tfjs/group1-shard1of1.bin`),
      ),
    ],
    mutate: eachOf(mutateText),
    read: (files) => checkLayers(decodeTfjs(first(files), files)),
  }
}
