/**
 * npm run check:interop -- DIR...
 *
 * Loads every ONNX, Keras (.keras, .h5) and tfjs (.tfjs folder) model in the folders that has NAME.io.safetensors beside it,
 * runs it on the inputs recorded there, on the reference, natively and compiled, and prints a line for each with the
 * largest absolute difference from the recorded outputs. Exit code 1 if one is above 1e-5 or there is none.
 */
import { basename } from 'node:path'
import { type Case, casesIn } from './interop/case.ts'
import { check } from './interop/check.ts'

const counts = { passed: 0, failed: 0, skipped: 0 }

async function main(folders: readonly string[]): Promise<void> {
  const cases = folders.flatMap(casesIn)
  if (!cases.some(({ io }) => io)) {
    const place = folders.join(', ') || 'no folder; usage: npm run check:interop -- DIR...'
    throw new Error(`expected folders with models and their .io.safetensors, got ${place}`)
  }
  for (const each of cases) await checkCase(each)
  if (counts.skipped) console.log(`${counts.skipped} skipped`)
  console.log(`${counts.passed} passed, ${counts.failed} failed`)
  if (counts.failed) process.exitCode = 1
}

async function checkCase({ io, ...rest }: Case): Promise<void> {
  const name = basename(rest.path).padEnd(44)
  if (io === undefined) return report('skipped', `${name} there is no .io.safetensors beside it`)
  try {
    const { passed, paths } = await check({ io, ...rest })
    const texts = [...paths].map(
      ([path, { error, output }]) => `${path} ${error.toExponential(1)} (${output})`,
    )
    report(passed ? 'passed' : 'failed', `${name} ${texts.join(', ')}`)
  } catch (error) {
    report('failed', `${name} ${(error as Error).message}`)
  }
}

function report(result: keyof typeof counts, line: string): void {
  counts[result]++
  console.log(`${result.padEnd(7)} ${line}`)
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(`check-interop: ${error.message}`)
  process.exitCode = 1
})
