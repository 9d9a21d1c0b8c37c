/** Files that a file names: they may lie in its own folder, and nowhere else. */
import { realpath } from 'node:fs/promises'
import { join, posix, relative, sep, win32 } from 'node:path'
import { FileFormatError } from '../errors.ts'
import { openFile } from './files.ts'

/** Whether a name in a file means something below its folder, on any system. */
export function isInside(name: string): boolean {
  const isPlain = name !== '' && !name.includes('\0') && !/^[a-z]:/i.test(name)
  return isPlain && !posix.isAbsolute(name) && !win32.isAbsolute(name) && !name.split(/[/\\]/).includes('..')
}

/**
 * Reads a file of a folder. Links are followed, but not out of it.
 *
 * @throws {FileFormatError} OutsideFolder, or as the system says
 */
export async function readInside(folder: string, name: string): Promise<Uint8Array> {
  const path = join(folder, name)
  const outside = () => {
    throw new FileFormatError(
      `${path}: expected a file inside the folder ${folder}; its name leads out of it`,
      {
        code: 'OutsideFolder',
        path,
      },
    )
  }
  if (!isInside(name)) outside()
  const [root, target] = await resolved(path, folder, path)
  const way = relative(root, target)
  if (way === '..' || way.startsWith(`..${sep}`) || win32.isAbsolute(way)) outside()
  const file = await openFile(target)
  try {
    const bytes = new Uint8Array(file.size)
    await file.readInto(bytes, 0)
    return bytes
  } finally {
    await file.close()
  }
}

async function resolved(path: string, ...paths: readonly string[]): Promise<string[]> {
  try {
    return await Promise.all(paths.map((each) => realpath(each)))
  } catch (cause) {
    const { code = 'ReadFailed', message } = cause as NodeJS.ErrnoException
    throw new FileFormatError(`${path}: cannot be read: ${message}`, { code, path, cause })
  }
}
