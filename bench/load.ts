/**
 * How long a model of 100 MB takes to load into its parameters, beside PyTorch's load_file and load_state_dict, in turns:
 *
 *     BENCH_PYTHON=/path/to/python npx tsx bench/load.ts     exit code 1 if PyTorch's median is the lower one
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { loadPyTorchWeights } from '../lib/formats/index.ts'
import { LSTM } from '../lib/layers/lstm.ts'

const [hiddenSize, numLayers, rounds] = [1024, 3, 20]

const folder = mkdtempSync(join(tmpdir(), 'lstm-native-load-'))
const path = join(folder, 'model.safetensors')
const python = spawn(
  process.env.BENCH_PYTHON ?? 'python3',
  [join(import.meta.dirname, 'load.py'), path, String(hiddenSize), String(numLayers)],
  { stdio: ['pipe', 'pipe', 'inherit'] },
)
const replies = createInterface({ input: python.stdout })[Symbol.asyncIterator]()

async function reply(): Promise<number> {
  const { value, done } = await replies.next()
  if (done)
    throw new Error('PyTorch does not take part: BENCH_PYTHON must name a Python with torch and safetensors')
  return Number(value)
}

async function timeTheirs(): Promise<number> {
  python.stdin.write('\n')
  return reply()
}

async function timeOurs(model: LSTM, checksum: number): Promise<number> {
  const weight = model.weights[0][0].weightHh.data as Float32Array
  weight.fill(0)
  const start = performance.now()
  await loadPyTorchWeights(model, path)
  const milliseconds = performance.now() - start
  const sum = weight.reduce((total, each) => total + each, 0)
  if (Math.abs(sum - checksum) > 1e-6)
    throw new Error(`expected weights that add up to ${checksum}, got ${sum}`)
  return milliseconds
}

try {
  const checksum = await reply()
  const model = new LSTM({ inputSize: hiddenSize, hiddenSize, numLayers })
  const times: Record<'ours' | 'PyTorch', number[]> = { ours: [], PyTorch: [] }
  for (let round = 0; round < rounds; round++) {
    times.ours.push(await timeOurs(model, checksum))
    times.PyTorch.push(await timeTheirs())
  }
  const median = (all: number[]) => all.toSorted((a, b) => a - b)[all.length >> 1]
  console.log(`${(statSync(path).size / 1e6).toFixed(1)} MB, ${rounds} rounds, milliseconds`)
  for (const [name, all] of Object.entries(times)) {
    console.log(`${name.padEnd(8)} median ${median(all).toFixed(1)}, best ${Math.min(...all).toFixed(1)}`)
  }
  process.exitCode = median(times.ours) <= median(times.PyTorch) ? 0 : 1
} finally {
  python.stdin.end()
  rmSync(folder, { recursive: true })
}
