/** This package through its public door, on the back end or target that `create` is given. */
import {
  adam,
  backend,
  clipByNorm,
  crossEntropy,
  Embedding,
  Linear,
  LSTM,
  meanSquaredError,
  noGrad,
  parametersOf,
  recycle,
  type Tensor,
  tensor,
  useBackend,
} from '../../lib/index.ts'
import type { Case } from '../cases.ts'
import type { Problem, Tensors } from '../problem.ts'
import type { Contender, Prepared } from './contender.ts'

export async function create(name = 'native'): Promise<Contender> {
  useBackend(name as Parameters<typeof useBackend>[0])
  return {
    describe: () => {
      const { target, gemm, threads } = backend()
      return `lstm-native, ${target}, ${gemm}, ${threads} threads`
    },
    async prepare(problem) {
      const { case: one, tensors } = problem
      const lstm = createLSTM(one)
      if (one.mode === 'step') return prepareStep(problem, lstm)
      setParameters(lstm, tensors)
      return one.mode === 'inference' ? prepareInference(problem, lstm) : prepareTraining(problem, lstm)
    },
  }
}

function createLSTM({ I, H, layers, directions }: Case): LSTM {
  return new LSTM({
    inputSize: I,
    hiddenSize: H,
    numLayers: layers,
    bidirectional: directions === 2,
    seed: 0,
  })
}

/** Fills the parameters of a layer or a model with the given weights, an LSTM's under their own names. */
function setParameters(model: object, tensors: Tensors): void {
  for (const [name, parameter] of parametersOf(model)) {
    parameter.data.set(tensors[name.replace(/^lstm\./, '')].data)
  }
}

function inputs({ tensors, lengths }: Problem) {
  const state = { h: tensor(tensors.h0.data, tensors.h0), c: tensor(tensors.c0.data, tensors.c0) }
  return { x: tensors.x, options: { state, lengths } }
}

function prepareInference(problem: Problem, lstm: LSTM): Prepared {
  const { x, options } = inputs(problem)
  const input = tensor(x.data, x)
  const forward = () => lstm.forward(input, options)
  return {
    run: () => {
      noGrad(() => recycle(forward))
    },
    results: () => {
      const { output, state } = noGrad(forward)
      return { output: named(output), h: named(state.h), c: named(state.c) }
    },
  }
}

function prepareTraining(problem: Problem, lstm: LSTM): Prepared {
  const { x, options } = inputs(problem)
  const input = tensor(x.data, { ...x, requiresGrad: true })
  const parameters = parametersOf(lstm)
  const dy = problem.tensors.dy.data as Float32Array
  const forwardAndBackward = () => {
    input.zeroGrad()
    for (const parameter of parameters.values()) parameter.zeroGrad()
    const { output } = lstm.forward(input, options)
    output.backward(dy)
    return output
  }
  return {
    run: () => {
      recycle(forwardAndBackward)
    },
    results: () => {
      const output = named(forwardAndBackward())
      const gradients = [...parameters].map(([name, { shape, grad }]) => [`d${name}`, { shape, data: grad }])
      return { output, dx: { shape: input.shape, data: input.grad }, ...Object.fromEntries(gradients) }
    },
  }
}

/** A training step as `fit` makes it: forward, loss, backward, clip, Adam. */
function prepareStep({ case: one, tensors }: Problem, lstm: LSTM): Prepared {
  const { I, H, directions } = one
  const { kind, outputs, clipNorm } = one.model!
  const head = new Linear({ inputSize: directions * H, outputSize: outputs, seed: 0 })
  const embedding = new Embedding({ vocabularySize: outputs, embeddingSize: I, seed: 0 })
  const isText = kind === 'tokens'
  const model = isText ? { embedding, lstm, head, forward } : { lstm, head, forward }
  const parameters = parametersOf(model)
  setParameters(model, tensors)
  const optimizer = adam({ learningRate: 1e-3 }).bind(parameters)
  const [x, target] = (isText ? ['tokens', 'targets'] : ['x', 'target']).map((name) => {
    return tensor(tensors[name].data, tensors[name])
  })
  const losses: number[] = []

  function forward(input: Tensor): Tensor {
    return head.forward(lstm.forward(isText ? embedding.forward(input) : input).output)
  }

  const step = () => {
    optimizer.zeroGrad()
    const prediction = forward(x)
    const loss = isText ? crossEntropy(prediction, target) : meanSquaredError(prediction, target)
    loss.backward()
    optimizer.step(clipNorm ? clipByNorm(parameters, { maximum: clipNorm }) : {})
    losses.push(loss.item())
  }
  return {
    run: () => {
      recycle(step)
    },
    results: () => ({ losses: { shape: [losses.length], data: Float32Array.from(losses) } }),
  }
}

function named({ shape, data }: Tensor): Tensors[string] {
  return { shape, data: data as Float32Array }
}
