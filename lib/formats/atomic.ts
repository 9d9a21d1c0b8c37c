/** Writing a file so that whoever looks, at any moment and after any crash, finds the old one or the new one whole. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileFormatError } from '../errors.ts'

/**
 * Writes a temporary file in the same folder, flushes it to the disk, renames it to `path` and flushes the folder. The
 * temporary file is removed if anything fails; a process killed in between leaves one, named `.NAME.UUID.tmp`.
 *
 * @throws {FileFormatError} with the system's code (ENOENT, EACCES, ENOSPC, ...)
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    await writeAndFlush(temporary, bytes)
    await rename(temporary, path)
    await flushFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true })
    const { code = 'WriteFailed', message } = error as NodeJS.ErrnoException
    throw new FileFormatError(`${path}: cannot be written: ${message}`, { code, path, cause: error })
  }
}

async function writeAndFlush(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes the rename itself survive a power cut. Windows cannot open folders, and its renames are journalled. */
async function flushFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
