/** Reading files, whole or by position, with the system's errors as ours. */
import { type FileHandle, open } from 'node:fs/promises'
import { FileFormatError } from '../errors.ts'

/** Some systems read no more than 2³¹ - 1 bytes in one call. */
const mostAtOnce = 2 ** 30

/** A file that is read by position, open until `close`. */
export interface OpenFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Fills `target` from the byte at `position`. @throws {FileFormatError} if the file ends before */
  readInto(target: Uint8Array, position: number): Promise<void>
  close(): Promise<void>
}

/** @throws {FileFormatError} with the system's code if it cannot be opened, or is no file */
export async function openFile(path: string): Promise<OpenFile> {
  const handle = await system(path, () => open(path, 'r'))
  try {
    const stat = await system(path, () => handle.stat())
    if (!stat.isFile()) {
      throw new FileFormatError(`${path}: cannot be read: expected a file`, { code: 'NoFile', path })
    }
    return {
      path,
      size: stat.size,
      readInto: (target, position) => fill(path, handle, target, position),
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Opens a file, and closes it whatever becomes of its use. @throws {FileFormatError} as `openFile` does */
export async function withOpenFile<T>(path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await openFile(path)
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** A file's first bytes, at most `length` of them. @throws {FileFormatError} as `openFile` and `readInto` do */
export function readStart(path: string, length: number): Promise<Uint8Array> {
  return withOpenFile(path, async (file) => {
    const bytes = new Uint8Array(Math.min(file.size, length))
    await file.readInto(bytes, 0)
    return bytes
  })
}

/** A file's bytes, at an address that suits every type of array. @throws {FileFormatError} as `readStart` does */
export function readWhole(path: string): Promise<Uint8Array> {
  return readStart(path, Number.POSITIVE_INFINITY)
}

async function fill(path: string, handle: FileHandle, target: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(target.length - done, mostAtOnce)
    const { bytesRead } = await system(path, () => handle.read(target, done, length, position + done))
    if (bytesRead === 0) {
      throw new FileFormatError(`${path}: became shorter while it was read; load it again`, {
        code: 'FileChanged',
        path,
      })
    }
    done += bytesRead
  }
}

/** A call of the system about `path`. @throws {FileFormatError} with the system's code where it fails */
export async function system<T>(
  path: string,
  call: () => Promise<T>,
  failure = 'cannot be read',
): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    const { code = 'SystemFailed', message } = cause as NodeJS.ErrnoException
    throw new FileFormatError(`${path}: ${failure}: ${message}`, { code, path, cause })
  }
}
