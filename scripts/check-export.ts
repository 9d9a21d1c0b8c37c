/**
 * npm run check:export
 *
 * Writes models of every layer kind for ONNX, PyTorch and Keras, loads them where they are meant for, and prints a line for
 * each with the largest absolute difference from what forward gives here. ONNX files run in onnxruntime-node, a
 * dependency of the bench. PyTorch, Keras, the checker of ONNX, and ONNX Runtime with optional inputs, which cannot be given
 * to it from JavaScript, take part where CHECK_PYTHON names a Python that has torch, keras, onnx, onnxruntime and safetensors.
 * Exit code 1 if a difference is above 1e-5 or a file is refused.
 */
import { exportCases } from './export/cases.ts'
import { checkOnnx, loadRuntime } from './export/onnx.ts'
import { checkInPython } from './export/python.ts'
import type { Result } from './run-python.ts'

/** float32 sums of the same terms in another order. */
const tolerance = 1e-5

const counts = { passed: 0, failed: 0 }

async function main(): Promise<void> {
  const runtime = loadRuntime()
  for (const each of exportCases.filter(({ isWithoutRuntime }) => !isWithoutRuntime)) {
    const name = `onnxruntime-node: ${each.name}`
    try {
      report({ name, error: await checkOnnx(runtime, each) })
    } catch (error) {
      report({ name, failure: (error as Error).message })
    }
  }
  const python = process.env.CHECK_PYTHON
  if (python) await checkInPython(python, report)
  else console.log('CHECK_PYTHON is not set: PyTorch, Keras and the Python of ONNX Runtime do not take part')
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  if (counts.failed) process.exitCode = 1
}

function report({ name, error = Number.NaN, failure }: Result): void {
  const result = error <= tolerance ? 'passed' : 'failed'
  counts[result]++
  console.log(`${result}  ${name.padEnd(72)} ${failure ?? error.toExponential(1)}`)
}

main().catch((error: Error) => {
  console.error(`check-export: ${error.message}`)
  process.exitCode = 1
})
