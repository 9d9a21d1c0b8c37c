/** This package through its public door, on the back end or target that `create` is given. */
import {
  adam,
  backend,
  clipByNorm,
  compile,
  crossEntropy,
  Embedding,
  Linear,
  LSTM,
  meanSquaredError,
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

function prepareInference({ case: one, tensors, lengths }: Problem, lstm: LSTM): Prepared {
  const plan = compile(lstm)
  const x = tensor(tensors.x.data, tensors.x)
  const options = { lengths, state: stateOf(one, tensors) }
  const { output } = plan.predictSync(x, options)
  return {
    run: () => {
      plan.predictSync(x, { lengths, state: options.state, output })
    },
    results: () => {
      const { output, state } = plan.predictSync(x, options)
      return { output: named(output), ...hiddenAndCell(one, state) }
    },
  }
}

/** h0 and c0, [layers x directions, B, H], as rows of a plan's state: of each layer h of its directions, then c. */
function stateOf({ B, H, layers, directions }: Case, { h0, c0 }: Tensors): Tensor {
  const width = 2 * layers * directions * H
  const rows = new Float32Array(B * width)
  forEachPart({ B, H, layers, directions }, (part, b, place) => {
    const source = place.isCell ? c0 : h0
    rows.set((source.data as Float32Array).subarray(part, part + H), b * width + place.offset)
  })
  return tensor(rows, { shape: [B, width] })
}

/** The way back. */
function hiddenAndCell({ B, H, layers, directions }: Case, state: Tensor) {
  const width = 2 * layers * directions * H
  const shape = [layers * directions, B, H]
  const [h, c] = [
    new Float32Array(layers * directions * B * H),
    new Float32Array(layers * directions * B * H),
  ]
  const rows = state.data as Float32Array
  forEachPart({ B, H, layers, directions }, (part, b, place) => {
    const start = b * width + place.offset
    const target = place.isCell ? c : h
    target.set(rows.subarray(start, start + H), part)
  })
  return { h: { shape, data: h }, c: { shape, data: c } }
}

/** Visits every vector of H floats: where it is in [layers x directions, B, H], and where in a row of the state. */
function forEachPart(
  { B, H, layers, directions }: Pick<Case, 'B' | 'H' | 'layers' | 'directions'>,
  visit: (part: number, b: number, place: { isCell: boolean; offset: number }) => void,
): void {
  for (let layer = 0; layer < layers; layer++) {
    for (let d = 0; d < directions; d++) {
      for (let b = 0; b < B; b++) {
        const part = ((layer * directions + d) * B + b) * H
        const first = layer * 2 * directions * H
        visit(part, b, { isCell: false, offset: first + d * H })
        visit(part, b, { isCell: true, offset: first + (directions + d) * H })
      }
    }
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
  // Bound first: parameters whose data has been read stay out of the optimizer's arena.
  const optimizer = adam({ learningRate: 1e-3 }).bind(parameters)
  setParameters(model, tensors)
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
