/**
 * npm run fuzz:formats -- [--inputs N] [--seed S] [--reader NAME] [--path P] [--json]
 *
 * Changes true files in ways that their formats invite and hands them to the readers: each must give a FileFormatError or a
 * right model, in a second and in memory of three times the file plus 64 MB. fast-check draws the changes and makes a case
 * that breaks a rule smaller. Prints a line for each reader; exits with 1, the seed and the saved input where a rule is broken.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fuzz, type Report } from './fuzz/fuzz.ts'
import { makeReaders } from './fuzz/readers.ts'

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      inputs: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      reader: { type: 'string' },
      path: { type: 'string' },
    },
  })
  const { readers, close } = await makeReaders()
  try {
    const chosen = values.reader ? readers.filter(({ name }) => name === values.reader) : readers
    if (chosen.length === 0)
      throw new Error(`expected a reader of ${readers.map(({ name }) => name).join(', ')}`)
    const shares = chosen.reduce((sum, { share }) => sum + share, 0)
    console.log(`seed ${values.seed}`)
    for (const reader of chosen) {
      const inputs = Math.ceil((Number(values.inputs) * reader.share) / shares)
      const report = await fuzz(reader, { inputs, seed: Number(values.seed), path: values.path })
      print(report)
      if (report.broken) saveBroken(report, Number(values.seed))
    }
  } finally {
    close()
  }
}

function print({ reader, inputs, seconds, codes, slowest, memory }: Report): void {
  const { accepted = 0, ...refused } = Object.fromEntries(codes)
  const list = Object.entries(refused)
    .sort(([, a], [, b]) => b - a)
    .map(([code, count]) => `${code} ${count}`)
  const total = Object.values(refused).reduce((sum, count) => sum + count, 0)
  console.log(
    `${reader.padEnd(18)} ${inputs} inputs in ${seconds.toFixed(0)} s: ${accepted} accepted, ${total} refused; ` +
      `slowest ${slowest.toFixed(0)} ms, most memory ${(memory / 1e6).toFixed(0)} MB`,
  )
  console.log(`  ${list.join(', ')}`)
}

function saveBroken({ reader, broken }: Report, seed: number): void {
  const folder = `out/fuzz/${reader}-${seed}`
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of broken!.files) writeFileSync(`${folder}/${name}`, bytes)
  console.error(`${reader}: ${broken!.reason}`)
  console.error(`the input is in ${folder}; again: --reader ${reader} --seed ${seed} --path ${broken!.path}`)
  process.exitCode = 1
}

main().catch((error: Error) => {
  console.error(`fuzz-formats: ${error.stack}`)
  process.exitCode = 1
})
