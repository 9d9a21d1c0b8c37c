/** The files that commands write: refused before hours of work are done for them. */
import { access, constants, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { InputError } from '../forecast/input-error.ts'

/** Refuses a path whose folder cannot take a file. */
export async function requireWritable(path: string): Promise<void> {
  const folder = dirname(path)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InputError(
      `${path}: ${code === 'ENOENT' ? `no such folder: ${folder}` : `cannot write to ${folder}`}`,
    )
  }
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isDirectory()) throw new InputError(`${path}: expected a file to write, got a folder`)
}

/** No file may be written over the data, or over another. @param paths by the name of their option */
export function requireDistinct(paths: Readonly<Record<string, string>>): void {
  const names = Object.keys(paths)
  for (const [i, name] of names.entries()) {
    const other = names.slice(0, i).find((each) => resolve(paths[each]) === resolve(paths[name]))
    if (other)
      throw new InputError(
        `${paths[name]}: the ${name} would overwrite the ${other}; choose another --${name}`,
      )
  }
}

export async function writeText(path: string, text: string): Promise<void> {
  await requireWritable(path)
  await writeFile(path, text)
}
