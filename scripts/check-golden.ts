/**
 * npm run check:golden -- DIR...
 *
 * Compares this package with every golden file (*.safetensors) in the folders, on each back end of this machine: a line
 * for each with the largest error in the outputs and in the gradients, as a share of the largest magnitude of the true
 * tensor. Exit code 1 if a case fails or there is none.
 */
import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Golden, readGolden, type Worst } from './golden/case.ts'
import { check, listPrecisions, type Precision, runners } from './golden/check.ts'

const counts = { passed: 0, failed: 0, skipped: 0 }

async function main(places: readonly string[]): Promise<void> {
  const files = places.flatMap(goldenFilesIn)
  if (files.length === 0) {
    const place = places.join(', ') || 'no folder; usage: npm run check:golden -- DIR...'
    throw new Error(`expected folders with .safetensors files, got ${place}`)
  }
  const { precisions, withoutNative } = listPrecisions()
  if (withoutNative) console.log(`native targets are not checked: ${withoutNative}`)
  for (const file of files) await checkFile(file, precisions)
  console.log(
    `${counts.passed} passed, ${counts.failed} failed${counts.skipped ? `, ${counts.skipped} skipped` : ''}`,
  )
  if (counts.failed) process.exitCode = 1
}

function goldenFilesIn(place: string): string[] {
  if (!statSync(place).isDirectory()) return [place]
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => join(place, name))
}

async function checkFile(file: string, precisions: readonly Precision[]): Promise<void> {
  const name = basename(file, '.safetensors').padEnd(36)
  let golden: Golden
  try {
    golden = await readGolden(file)
  } catch (error) {
    report('failed', `${name} ${(error as Error).message}`)
    return
  }
  if (!Object.hasOwn(runners, golden.kind)) {
    report('skipped', `${name} there is no ${golden.kind} here to compare`)
    return
  }
  for (const precision of precisions) {
    const place = `${name} ${precision.name.padEnd(17)}`
    try {
      const { outputs, gradients, passed } = check(golden, precision)
      const [first, second] = runners[golden.kind].groups
      report(passed ? 'passed' : 'failed', `${place} ${first} ${show(outputs)}, ${second} ${show(gradients)}`)
    } catch (error) {
      report('failed', `${place} ${(error as Error).message}`)
    }
  }
}

function report(result: keyof typeof counts, line: string): void {
  counts[result]++
  console.log(`${result.padEnd(7)} ${line}`)
}

function show({ error, tensor }: Worst): string {
  return `${error.toExponential(1)}${tensor && ` (${tensor})`}`
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(`check-golden: ${error.message}`)
  process.exitCode = 1
})
