/** Sees that a model's file has changed: by the system's notice, and by looking, where the system gives none. */
import { type FSWatcher, watch } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Network file systems and replaced links give no notice: this often, in ms, somebody looks. */
const lookEvery = 2000
/** A file is read when it has stayed the same for so long, in ms. */
const settleFor = 200

export class FileWatcher {
  readonly #path: string
  readonly #onChange: () => Promise<unknown>
  readonly #timer: NodeJS.Timeout
  #watcher: FSWatcher | undefined
  #seen: string
  #isBusy = false
  #isClosed = false

  private constructor(path: string, seen: string, onChange: () => Promise<unknown>) {
    this.#path = path
    this.#seen = seen
    this.#onChange = onChange
    this.#timer = setInterval(() => void this.#look(), lookEvery)
    this.#timer.unref()
    try {
      // The folder, for files are replaced by renaming, which leaves a watch on the old one.
      this.#watcher = watch(dirname(path), { persistent: false }, () => void this.#look())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // No notices to be had; looking is enough.
    }
  }

  /** @param onChange never called while a call of before has not ended */
  static async open(path: string, onChange: () => Promise<unknown>): Promise<FileWatcher> {
    return new FileWatcher(path, await markOf(path), onChange)
  }

  async #look(): Promise<void> {
    if (this.#isBusy || this.#isClosed) return
    this.#isBusy = true
    try {
      let mark = await markOf(this.#path)
      while (mark !== this.#seen && !this.#isClosed) {
        await new Promise((resolve) => setTimeout(resolve, settleFor).unref())
        const later = await markOf(this.#path)
        if (later === mark) {
          this.#seen = mark
          await this.#onChange()
        }
        mark = await markOf(this.#path)
      }
    } finally {
      this.#isBusy = false
    }
  }

  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#watcher?.close()
  }
}

/** Another text when the file, or one of the folder's, is another. */
async function markOf(path: string): Promise<string> {
  try {
    const found = await stat(path)
    if (!found.isDirectory()) return `${found.size} ${found.mtimeMs} ${found.ino}`
    const names = (await readdir(path)).sort()
    return (await Promise.all(names.map((name) => markOf(join(path, name))))).join('\n')
  } catch {
    return 'missing'
  }
}
