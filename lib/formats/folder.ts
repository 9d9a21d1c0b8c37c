/** Files that a file names: they may lie in its own folder, and nowhere else. */
import { realpath } from 'node:fs/promises'
import { join, posix, relative, sep, win32 } from 'node:path'
import { FileFormatError } from '../errors.ts'
import { readWhole, system } from './files.ts'

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
  const [root, target] = await system(path, () => Promise.all([realpath(folder), realpath(path)]))
  const way = relative(root, target)
  if (way === '..' || way.startsWith(`..${sep}`) || win32.isAbsolute(way)) outside()
  return readWhole(target)
}
