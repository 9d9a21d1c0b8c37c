/** Settings in the environment: a wrong one is an error, not a reason to run on the slow path. */
import { afterEach, expect, it, vi } from 'vitest'

afterEach(() => vi.unstubAllEnvs())

it.each([
  ['LSTM_NATIVE_THREADS', 'many', /expected an integer from 1 to 256, got many/],
  ['LSTM_NATIVE_SHARING', 'columns', /expected automatic, rows, units or layers, got columns/],
  ['LSTM_NATIVE_BACKEND', 'avx3', /expected native, reference or one of/],
])('%s=%s is refused', async (name, value, message) => {
  vi.stubEnv(name, value)
  vi.resetModules()
  const { backend } = await import('../lib/kernels/index.ts')
  expect(() => backend()).toThrow(message)
})

it.each(['automatic', 'rows', 'units', 'layers'])('LSTM_NATIVE_SHARING=%s is taken', async (value) => {
  vi.stubEnv('LSTM_NATIVE_SHARING', value)
  vi.resetModules()
  const { backend } = await import('../lib/kernels/index.ts')
  expect(backend().name).toBe('native')
})
