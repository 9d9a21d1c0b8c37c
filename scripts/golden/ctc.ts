/** Golden cases of kind `ctc`: the CTC loss of each sequence and the gradient of their sum. */
import type { FloatDataType } from '../../lib/layers/initialisation.ts'
import { ctcLoss } from '../../lib/operations/ctc.ts'
import { sum } from '../../lib/operations/reductions.ts'
import { batchFirst, Comparison, type Golden, type Outcome, type Runner, tensorOf } from './case.ts'

interface CtcConfig {
  input_lengths: number[]
  target_lengths: number[]
}

export const ctcRunner: Runner = {
  groups: ['losses', 'gradients'],
  bounds: {
    float64: { outputs: 1e-10, gradients: 1e-10 },
    float32: { outputs: 1e-5, gradients: 1e-4 },
  },
  run,
}

function run(golden: Golden, dataType: FloatDataType): Outcome {
  const config = golden.config as unknown as CtcConfig
  const logits = tensorOf(batchFirst(golden.get('logits')), dataType, true)
  const losses = ctcLoss(logits, tensorOf(golden.get('targets'), 'int32'), {
    lengths: Int32Array.from(config.input_lengths),
    targetLengths: Int32Array.from(config.target_lengths),
    reduction: 'none',
  })
  sum(losses).backward()
  const outputs = new Comparison()
  outputs.add('loss', losses.data as Float64Array, golden.get('loss'))
  const gradients = new Comparison()
  gradients.add('d.logits', logits.grad, batchFirst(golden.get('d.logits')))
  return { outputs: outputs.worst, gradients: gradients.worst }
}
