/** How V8 is told that a server's garbage is not worth a collection of everything. */
import { setFlagsFromString } from 'node:v8'

/**
 * What the heap may grow by before V8 collects all of it, in percent of what lives. As V8 chooses, the bodies of a few thousand
 * requests a second, which lie outside the heap but count, make it do so every tenth of a second, with pauses of
 * 5 to 20 ms and helpers on the executors' cores; the heap of a server is some 20 MB.
 */
export const heapGrowth = '--heap-growing-percent=200'

/** For the rest of the process: for whoever owns it, as `lstm serve` does, and not for a library. */
export function growHeapFreely(): void {
  setFlagsFromString(heapGrowth)
}
