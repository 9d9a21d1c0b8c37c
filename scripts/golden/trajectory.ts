/** Golden cases of kind `trajectory`: some training steps of an LSTM and a linear layer, losses and parameters compared. */
import type { FloatDataType } from '../../lib/layers/initialisation.ts'
import { parametersOf } from '../../lib/layers/layer.ts'
import { Linear } from '../../lib/layers/linear.ts'
import { LSTM } from '../../lib/layers/lstm.ts'
import { crossEntropy, meanSquaredError } from '../../lib/operations/losses.ts'
import { clipByNorm } from '../../lib/training/clipping.ts'
import { adam, adamW, type OptimizerFactory, rmsprop, sgd } from '../../lib/training/optimizers.ts'
import { at, batchFirst, Comparison, type Golden, type Outcome, type Runner, tensorOf } from './case.ts'

interface TrajectoryConfig {
  I: number
  H: number
  O: number
  layers: number
  bidirectional: boolean
  steps: number
  optimizer: string
  hyper: Record<string, unknown>
  loss: 'mse' | 'cross_entropy'
  clip_norm: number | null
}

export const trajectoryRunner: Runner = {
  groups: ['losses', 'parameters'],
  bounds: {
    float64: { outputs: 1e-8, gradients: 1e-8 },
    // As for a single pass. Twenty steps end at 1e-7 in the losses and 7e-7 in the parameters on every target; Adam, which
    // divides by √v, makes more of rounding where gradients vanish: 4e-5 in the parameters after 500 steps of 0.05.
    float32: { outputs: 1e-5, gradients: 1e-4 },
  },
  run,
}

function run(golden: Golden, dataType: FloatDataType): Outcome {
  const config = golden.config as unknown as TrajectoryConfig
  const { I, H, O, layers, bidirectional } = config
  const model = {
    lstm: new LSTM({ inputSize: I, hiddenSize: H, numLayers: layers, bidirectional, dataType }),
    linear: new Linear({ inputSize: H * (bidirectional ? 2 : 1), outputSize: O, dataType }),
  }
  const parameters = parametersOf(model)
  for (const [name, parameter] of parameters) {
    parameter.data.set(tensorOf(golden.get(`start.${name}`), dataType).data)
  }
  const optimizer = optimizerOf(config).bind(parameters)

  const losses: number[] = []
  for (let n = 0; n < config.steps; n++) {
    optimizer.zeroGrad()
    const x = tensorOf(batchFirst(at(golden.get('x'), n)), dataType)
    const prediction = model.linear.forward(model.lstm.forward(x).output)
    const target = batchFirst(at(golden.get('target'), n))
    const loss =
      config.loss === 'cross_entropy'
        ? crossEntropy(prediction, tensorOf(target, 'int32'))
        : meanSquaredError(prediction, tensorOf(target, dataType))
    loss.backward()
    const { clip_norm: maximum } = config
    optimizer.step(
      maximum === null ? {} : { gradientScale: clipByNorm(parameters, { maximum }).gradientScale },
    )
    losses.push(loss.item())
  }

  const outputs = new Comparison()
  outputs.add('loss', losses, golden.get('loss'))
  const gradients = new Comparison()
  for (const name of golden.namesUnder('end.')) {
    gradients.add(`end.${name}`, parameters.get(name)?.data as Float64Array, golden.get(`end.${name}`))
  }
  return { outputs: outputs.worst, gradients: gradients.worst }
}

/** torch.optim's names of what every optimizer has, under ours. */
const shared = { lr: 'learningRate', weight_decay: 'weightDecay' }
const ofAdam = { ...shared, eps: 'eps', beta1: 'beta1', beta2: 'beta2' }

const optimizers: Record<
  string,
  { create: (options: object) => OptimizerFactory; names: Record<string, string> }
> = {
  SGD: { create: sgd, names: { ...shared, momentum: 'momentum', nesterov: 'nesterov' } },
  RMSprop: { create: rmsprop, names: { ...shared, alpha: 'alpha', eps: 'eps', momentum: 'momentum' } },
  Adam: { create: adam, names: ofAdam },
  AdamW: { create: adamW, names: ofAdam },
}

/** The optimizer of a case; its defaults and torch.optim's are the same. */
function optimizerOf({ optimizer, hyper: { betas, ...hyper } }: TrajectoryConfig): OptimizerFactory {
  const known = optimizers[optimizer]
  if (!known) throw new Error(`torch.optim.${optimizer} has no counterpart here`)
  const [beta1, beta2] = (betas as [number, number] | undefined) ?? []
  const given = Object.entries({ ...hyper, beta1, beta2 }).filter(
    // What is switched off, such as amsgrad: false, needs no counterpart.
    ([name, value]) => value !== undefined && (name in known.names || value),
  )
  const options = given.map(([name, value]) => {
    if (!known.names[name])
      throw new Error(`the option ${name} of torch.optim.${optimizer} has no counterpart here`)
    return [known.names[name], value]
  })
  return known.create(Object.fromEntries(options))
}
