/** What an LSTM layer's training step holds beside weights and gradients. */
import { expect, it } from 'vitest'
import { kernelsFor, useBackend } from '../lib/kernels/index.ts'

it('keeps at most T·B·(I + 7H) floats of a layer: input, output and cache', () => {
  useBackend('native')
  const shape = { B: 8, T: 30, I: 20, H: 64, P: 0, layerNorm: false }
  const { B, T, I, H } = shape
  const cache = kernelsFor(new Float32Array(0)).lstmCacheLength(shape)
  expect(T * B * (I + H) + cache).toBeLessThanOrEqual(T * B * (I + 7 * H))
})
