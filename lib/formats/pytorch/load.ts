/** Models of PyTorch, from the safetensors that its state_dict was saved to. */
import { FileFormatError, nearestName, refuseUnknownOptions } from '../../errors.ts'
import { allNamesOf, type Model } from '../../layers/layer.ts'
import type { Sequential } from '../../layers/sequential.ts'
import { readStart } from '../files.ts'
import { matchParameters, readParameters } from '../parameters.ts'
import { openSafetensors, openShards, type SafetensorsFile, type TensorInfo } from '../safetensors/index.ts'
import { findModules, prefixOf } from './modules.ts'
import { rename, withoutCounts } from './names.ts'
import { proposeSpecification } from './propose.ts'
import { buildModel, type LayerSpecification, planLayers } from './specification.ts'

/**
 * Builds the model of a PyTorch program from its weights and a short specification, the layers in their order:
 *
 *     # in Python
 *     safetensors.torch.save_file(model.state_dict(), 'forecaster.safetensors')
 *
 *     const model = await loadPyTorch('forecaster.safetensors', { specification: ['lstm', lastStep(), 'head'] })
 *
 * LSTM, LSTMCell, RNN, Linear, Embedding, LayerNorm, BatchNorm1d and BatchNorm2d, Conv1d, Conv2d and MultiheadAttention are
 * recognised under any prefix, with their sizes, layers, directions, projection and biases. Where `batch_first` was not given
 * there, the model here reads [B, T, I] all the same. Channels stand last here: behind a Flatten of images or of the
 * channels of a convolution the columns of a Linear are in another order than there. Half floats become float32.
 *
 * @param path a .safetensors file, or the .index.json of a model in several
 * @param options.specification default: what `proposeSpecification` finds, if it leaves no question open
 * @param options.ignore prefixes of tensors that the model does not need; any other tensor has to be in it
 * @returns the model, in evaluation mode
 * @throws {FileFormatError} if the file cannot be read, is a pickle, or does not fit the specification; the message names
 *   the tensor, and the nearest one where a name is wrong
 * @throws {TypeError} if the specification makes no sense
 */
export async function loadPyTorch(
  path: string,
  options: { specification?: readonly LayerSpecification[]; ignore?: readonly string[] } = {},
): Promise<Sequential> {
  refuseUnknownOptions('loadPyTorch', options, ['specification', 'ignore'])
  return withFile(path, async (file) => {
    const tensors = without(options.ignore ?? [], file.tensors)
    const specification = options.specification ?? propose(path, tensors)
    const found = findModules(tensors)
    const planned = planLayers(path, specification, found)
    // Before anything is built: a model may take no more memory than the file has weights for it.
    const shapes = planned.flatMap((each) => ('module' in each ? [...each.module.shapes] : []))
    const expected = new Map(shapes.map(([name, shape]) => [name, { shape }]))
    const counted = withoutCounts(expected, tensors)
    matchParameters(path, expected, counted, (name) => {
      const prefix = prefixOf(name)
      const fix = `put ${JSON.stringify(prefix)} into the specification, or into ignore`
      return found.strangers.get(prefix) ?? fix
    })
    const { model, parameters } = buildModel(path, planned)
    matchParameters(path, parameters, counted)
    await readParameters(file, parameters)
    return model
  })
}

/**
 * Fills the parameters of a model that was made here with the weights of one made in PyTorch.
 *
 * @param options.prefixes where the parts of the model stand in PyTorch: `{ 0: 'lstm', 2: 'head' }` for a Sequential whose
 *   layers 0 and 2 are `self.lstm` and `self.head` there; by default the names are the same
 * @param options.ignore prefixes of tensors that the model does not need; the counts of batches beside the running
 *   statistics of a BatchNorm are left out without
 * @throws {FileFormatError} as `loadPyTorch` does; the model is untouched then, as by `load`
 * @throws {TypeError} if a prefix names nothing in the model
 */
export async function loadPyTorchWeights(
  model: Model,
  path: string,
  options: { prefixes?: Readonly<Record<string, string>>; ignore?: readonly string[] } = {},
): Promise<void> {
  refuseUnknownOptions('loadPyTorchWeights', options, ['prefixes', 'ignore'])
  const all = rename('loadPyTorchWeights', allNamesOf(model), options.prefixes ?? {})
  await withFile(path, async (file) => {
    const tensors = without(options.ignore ?? [], file.tensors)
    // One that is shared may stand there under all of its names, or under some.
    const there = new Set([...all].filter(([name]) => tensors.has(name)).map(([, parameter]) => parameter))
    const parameters = new Map([...all].filter(([name, each]) => tensors.has(name) || !there.has(each)))
    matchParameters(path, parameters, withoutCounts(parameters, tensors))
    await readParameters(file, parameters)
  })
}

async function withFile<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  await refusePickle(path)
  const file = await (path.endsWith('.json') ? openShards(path) : openSafetensors(path))
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/**
 * What torch.save writes is a program that builds the objects: to read it would be to run it.
 *
 * @throws {FileFormatError} Pickle
 */
async function refusePickle(path: string): Promise<void> {
  const start = await readStart(path, 4)
  const isZip = start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4
  const isPickle = start[0] === 0x80 && start[1] >= 2 && start[1] <= 5 && start[2] !== 0
  if (!isZip && !isPickle && !/\.(pt|pth|bin|ckpt|pkl)$/i.test(path)) return
  throw new FileFormatError(
    `${path}: is a pickle, which can run any code when it is read, and is not read here; save the model as safetensors ` +
      'in Python: safetensors.torch.save_file(model.state_dict(), "model.safetensors")',
    { code: 'Pickle', path },
  )
}

function without(
  ignore: readonly string[],
  tensors: ReadonlyMap<string, TensorInfo>,
): Map<string, TensorInfo> {
  for (const prefix of ignore) {
    if ([...tensors.keys()].some((name) => name.startsWith(prefix))) continue
    const nearest = nearestName(prefix, [...tensors.keys()])
    const hint = nearest ? `; the nearest is ${JSON.stringify(nearest)}` : ''
    throw new TypeError(
      `loadPyTorch: no tensor begins with ${JSON.stringify(prefix)}, which is to be ignored${hint}`,
    )
  }
  return new Map([...tensors].filter(([name]) => !ignore.some((prefix) => name.startsWith(prefix))))
}

function propose(path: string, tensors: ReadonlyMap<string, TensorInfo>): LayerSpecification[] {
  const { specification, questions } = proposeSpecification(tensors)
  if (questions.length === 0) return specification
  throw new FileFormatError(
    `${path}: names and shapes do not tell the whole model: ${questions.join('; ')}. Give { specification }, perhaps ` +
      JSON.stringify(specification),
    { code: 'AmbiguousModel', path },
  )
}
