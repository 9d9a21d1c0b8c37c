/** `lstm convert`: a model in another format. */
import { readFile } from 'node:fs/promises'
import { InputError } from '../forecast/input-error.ts'
import { convert as convertModel } from '../formats/convert.ts'
import type { LayerSpecification } from '../formats/pytorch/index.ts'
import { count, printable, type Terminal } from './terminal.ts'

interface Options {
  force?: boolean
  specification?: string
  steps?: number
  requiredInputs?: boolean
}

export async function convert(
  from: string,
  to: string,
  { force, specification: file, steps, requiredInputs }: Options,
  terminal: Terminal,
): Promise<void> {
  const specification = file === undefined ? undefined : await readSpecification(file)
  try {
    const {
      from: source,
      to: target,
      ...rest
    } = await convertModel(from, to, {
      force,
      specification,
      steps,
      ...(requiredInputs && { optionalInputs: false }),
    })
    for (const note of rest.notes) terminal.error(printable(`assumed: ${note}\n`))
    terminal.out(`${from} (${source}) → ${to} (${target}): ${count(rest.parameters)} parameters\n`)
    if (rest.optionalInputs.length > 0) {
      const names = rest.optionalInputs.join(', ')
      terminal.error(
        printable(
          `${names} may be left out, but onnxruntime-node ignores what it is given for them; with --required-inputs it takes them\n`,
        ),
      )
    }
  } catch (error) {
    // Layers and steps are the user's, who can mend what is wrong about them.
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error
    if (specification) throw new InputError(`${file}: ${error.message}`)
    throw steps === undefined && !requiredInputs ? error : new InputError(error.message)
  }
}

async function readSpecification(path: string): Promise<readonly LayerSpecification[]> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new InputError(`${path}: cannot be read: ${error.message}`)
  })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new InputError(`${path}: is not valid JSON: ${(error as Error).message}`)
  }
  if (Array.isArray(value)) return value
  throw new InputError(`${path}: expected an array of layers, such as ["lstm", {"type": "LastStep"}, "head"]`)
}
