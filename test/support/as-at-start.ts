/** Before each file of those that share a process: the back end, its threads and the spies as they were at the start. */
import { backend, setThreads, useBackend } from 'lstm-native'
import { vi } from 'vitest'

const state = globalThis as { atStart?: { name: 'native' | 'reference'; threads: number } }

vi.restoreAllMocks()
if (state.atStart) {
  const { name, threads } = state.atStart
  useBackend(name)
  setThreads(threads)
} else {
  const { name, threads } = backend()
  state.atStart = { name, threads }
}
