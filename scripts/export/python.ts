/** Exported files in Python: PyTorch, Keras and ONNX Runtime, whose Python takes optional inputs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { saveKeras } from '../../lib/formats/keras/index.ts'
import { loadOnnx, saveOnnx } from '../../lib/formats/onnx/index.ts'
import { savePyTorch } from '../../lib/formats/pytorch/index.ts'
import { type StoredArray, writeSafetensors } from '../../lib/formats/safetensors/index.ts'
import { type Layer, type Tensor, tensor } from '../../lib/index.ts'
import { type Result, runPython } from '../run-python.ts'
import { expectedOutputs, makeInput, makeModel, makeStates } from './case.ts'
import { exportCases } from './cases.ts'
import { keras, kerasModels, type Network, pytorch } from './networks.ts'

/** A file for Python to load. */
interface Job {
  name: string
  kind: 'pytorch' | 'keras' | 'onnx'
  /** The end of its name. */
  ending: string
  /** Of those that check.py knows, for files that tell no network. */
  network?: string
}

type Report = (result: Result) => void

/**
 * Writes every file into a folder of its own and has the Python judge them.
 *
 * @param python its command
 * @throws {Error} if it cannot be run, or ends before it is through
 */
export async function checkInPython(python: string, report: Report): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'check-export-'))
  try {
    const jobs: object[] = []
    for (const { job, each, write } of planned()) {
      const path = join(folder, `${jobs.length}${job.ending}`)
      const io = `${path}.io.safetensors`
      try {
        const model = makeModel(each)
        await write(model, path)
        await writeTensors(io, await recorded(job, model, each, path))
        jobs.push({ ...job, path, io })
      } catch (error) {
        report({ name: job.name, failure: (error as Error).message })
      }
    }
    await writeFile(join(folder, 'jobs.json'), JSON.stringify(jobs))
    const script = fileURLToPath(new URL('check.py', import.meta.url))
    await runPython(python, [script, folder], { report, expected: jobs.length })
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Planned {
  job: Job
  each: Network & { isFloat64?: boolean }
  write: (model: Layer, path: string) => Promise<void>
}

function* planned(): Iterable<Planned> {
  for (const [network, { prefixes, ...each }] of Object.entries(pytorch)) {
    const job = { name: `PyTorch: ${network}`, kind: 'pytorch', ending: '.safetensors', network } as const
    yield { job, each, write: (model, path) => savePyTorch(model, path, { prefixes }) }
  }
  for (const [network, each] of Object.entries(keras)) {
    for (const ending of ['.keras', '.weights.h5']) {
      yield {
        job: { name: `Keras: ${network}${ending}`, kind: 'keras', ending, network },
        each,
        write: saveKeras,
      }
    }
  }
  for (const [name, each] of Object.entries(kerasModels)) {
    yield { job: { name: `Keras: ${name}`, kind: 'keras', ending: '.keras' }, each, write: saveKeras }
  }
  for (const each of exportCases.filter(({ isWithoutRuntime }) => !isWithoutRuntime)) {
    for (const optionalInputs of [true, false]) {
      const kind = optionalInputs ? '' : ', all inputs required'
      yield {
        job: { name: `ONNX Runtime: ${each.name}${kind}`, kind: 'onnx', ending: '.onnx' },
        each,
        write: (model, path) => saveOnnx(model, path, { optionalInputs }),
      }
    }
  }
}

/** Inputs and what they give: x and y, for ONNX lengths and states too, and under `alone/` what x alone gives. */
async function recorded(
  { kind }: Job,
  model: Layer,
  each: Network,
  path: string,
): Promise<Map<string, Tensor>> {
  const [B, T] = [3, 12]
  const x = makeInput(each, B, T)
  if (kind !== 'onnx')
    return new Map([
      ['x', x],
      ['y', expectedOutputs(model, x, {}).get('y')!],
    ])
  const { inputs } = await loadOnnx(path)
  const states = makeStates(inputs, B)
  const lengths = inputs.some(({ name }) => name === 'lengths') ? Int32Array.of(T, 5, 0) : undefined
  const alone = [...expectedOutputs(model, x, {})].map(([name, y]) => [`alone/${name}`, y] as const)
  const tensors = new Map([['x', x], ...states, ...expectedOutputs(model, x, { lengths, states }), ...alone])
  return lengths ? tensors.set('lengths', tensor(lengths)) : tensors
}

function writeTensors(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const stored = [...tensors].map(
    ([name, { shape, array }]) => [name, { shape, data: array as StoredArray }] as const,
  )
  return writeSafetensors(path, stored)
}
