/** Writing a file so that whoever looks, at any moment and after any crash, finds the old one or the new one whole. */
import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { FileFormatError } from '../errors.ts'

type Content = Uint8Array | AsyncIterable<Uint8Array>

/**
 * Writes a temporary file in the same folder, flushes it to the disk, renames it to `path` and flushes the folder. The
 * temporary file is removed if anything fails; a process killed in between leaves one, named `.NAME.UUID.tmp`.
 *
 * @param content the bytes, or a source of them that is asked for more as they are written
 * @throws {FileFormatError} with the system's code (ENOENT, EACCES, ENOSPC, ...); what the source throws is passed on
 */
export async function writeFileAtomically(path: string, content: Content): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    await writeAndFlush(temporary, content)
    await rename(temporary, path)
    await flushFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true })
    if (!isOfTheSystem(error)) throw error
    const { code, message } = error
    throw new FileFormatError(`${path}: cannot be written: ${message}`, { code, path, cause: error })
  }
}

function isOfTheSystem(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}

async function writeAndFlush(path: string, content: Content): Promise<void> {
  const file = await open(path, 'wx')
  try {
    // A file handle writes what is iterable too, which its type here does not say.
    await file.writeFile(content as Uint8Array)
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
