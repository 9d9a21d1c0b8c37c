/**
 * npm run check:serve
 *
 * A client that was not written here talks to `lstm serve`: NVIDIA's tritonclient, of the Open Inference Protocol with the
 * extensions for binary tensors and sequences. Prints a line for each thing it does, with the largest absolute difference
 * from what the plan gives here. Takes part where CHECK_PYTHON names a Python that has it (pip install 'tritonclient[http]').
 * Exit code 1 if a difference is above 1e-6 or something is refused that should not be.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { compile, LSTM, save, type Tensor, tensor } from '../lib/index.ts'
import { Random } from '../lib/random.ts'
import { createServer } from '../lib/serve/index.ts'
import { type Result, runPython } from './run-python.ts'

/** The bits are the same; nine digits of JSON, which clients round to float32 again, keep them. */
const tolerance = 1e-6
const [B, T] = [3, 6]
const [inputSize, hiddenSize] = [4, 8]
/** As many as check.py has. */
const checks = 9

const counts = { passed: 0, failed: 0 }

async function main(): Promise<void> {
  const python = process.env.CHECK_PYTHON
  if (!python) {
    console.log('CHECK_PYTHON is not set: no client takes part')
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'check-serve-'))
  const model = new LSTM({ inputSize, hiddenSize, numLayers: 2, seed: 3 })
  const path = join(folder, 'model.safetensors')
  await save(model, path)
  const server = await createServer({ models: [`lstm=${path}`], port: 0, logLevel: 'warn' })
  try {
    const { host } = new URL(await server.listen())
    const random = new Random(5)
    const values = Float32Array.from({ length: B * T * inputSize }, () => 2 * random.uniform() - 1)
    const x = tensor(values, { shape: [B, T, inputSize] })
    const y = compile(model).predictSync(x)
    const expected = join(folder, 'expected.json')
    const content = { inputSize, outputSize: hiddenSize, x: plain(x), y: plain(y) }
    await writeFile(expected, JSON.stringify(content))
    const script = fileURLToPath(new URL('serve/check.py', import.meta.url))
    await runPython(python, [script, host, expected], { report, expected: checks })
  } finally {
    await server.close()
    await rm(folder, { recursive: true })
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  if (counts.failed) process.exitCode = 1
}

function plain({ shape, array }: Tensor): object {
  return { shape, data: [...array] }
}

function report({ name, error = Number.NaN, failure }: Result): void {
  const result = error <= tolerance ? 'passed' : 'failed'
  counts[result]++
  console.log(`${result}  ${name.padEnd(48)} ${failure ?? error.toExponential(1)}`)
}

main().catch((error: Error) => {
  console.error(`check-serve: ${error.message}`)
  process.exitCode = 1
})
