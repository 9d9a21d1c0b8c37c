/** brain.js: `recurrent.LSTMTimeStep` learns to predict a series' next value, sequence by sequence, in JavaScript. */
import { createRequire } from 'node:module'
import { seriesOf } from '../problem.ts'
import type { Contender, Prepared } from './contender.ts'

/** The part of brain.js that is used. */
interface Brain {
  recurrent: {
    LSTMTimeStep: new (
      options: object,
    ) => { train(sequences: number[][], options: object): { error: number } }
  }
}

export async function create(): Promise<Contender> {
  const require = createRequire(import.meta.url)
  const brain = require('brain.js') as Brain
  const { version } = require('brain.js/package.json') as { version: string }
  return {
    describe: () => `brain.js ${version}`,
    async prepare({ case: { mode, model, H, layers, directions }, tensors }): Promise<Prepared> {
      if (mode !== 'step' || model?.kind !== 'series' || layers > 1 || directions > 1) {
        throw new Error('brain.js only takes part in a step of a model of series')
      }
      const net = new brain.recurrent.LSTMTimeStep({ inputSize: 1, hiddenLayers: [H], outputSize: 1 })
      const sequences = seriesOf(tensors)
      const losses: number[] = []
      return {
        run: () => losses.push(net.train(sequences, { iterations: 1, errorThresh: 0, log: false }).error),
        results: () => ({ losses: { shape: [losses.length], data: Float32Array.from(losses) } }),
      }
    },
  }
}
