/** onnxruntime-node: one ONNX LSTM node a layer, fed time-first, the only order it computes in. */
import { createRequire } from 'node:module'
import { type Problem, swapAxes, type Tensors } from '../problem.ts'
import { inputSizes } from '../statistics.ts'
import type { Contender, Prepared } from './contender.ts'
import { encodeModel, type ModelParts, type OnnxNode, type OnnxTensor } from './onnx.ts'

/** The part of onnxruntime-node that is used; the bench is type-checked without its dependencies. */
interface Runtime {
  Tensor: new (
    type: 'float32' | 'int32',
    data: Float32Array | Int32Array,
    shape: readonly number[],
  ) => RuntimeTensor
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> }
}

interface RuntimeTensor {
  data: Float32Array
}

interface Session {
  run(feeds: Record<string, RuntimeTensor>, fetches: Record<string, RuntimeTensor>): Promise<unknown>
}

export async function create(): Promise<Contender> {
  const require = createRequire(import.meta.url)
  const runtime = require('onnxruntime-node') as Runtime
  const { version } = require('onnxruntime-node/package.json') as { version: string }
  let threads = 0
  return {
    describe: () => `onnxruntime-node ${version}, ${threads} threads`,
    prepare(problem) {
      threads = problem.threads
      return prepare(runtime, problem)
    },
  }
}

async function prepare(runtime: Runtime, problem: Problem): Promise<Prepared> {
  const { case: one, threads, tensors, lengths } = problem
  if (one.mode !== 'inference') throw new Error('onnxruntime-node does not train')
  const { B, T, I, H, layers, directions: D } = one
  // Waiting threads spin or sleep as they do by default: that is what its users get.
  const session = await runtime.InferenceSession.create(encodeModel(buildModel(problem)), {
    executionProviders: ['cpu'],
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  })

  const feeds: Record<string, RuntimeTensor> = {
    x: new runtime.Tensor('float32', swapAxes(tensors.x).data, [T, B, I]),
  }
  if (lengths) feeds.lengths = new runtime.Tensor('int32', lengths, [B])
  // Results go into tensors made once: the fastest way to call it.
  const output = new Float32Array(T * B * D * H)
  const h = new Float32Array(layers * D * B * H)
  const c = new Float32Array(layers * D * B * H)
  const fetches: Record<string, RuntimeTensor> = {
    output: new runtime.Tensor('float32', output, [T, B, D * H]),
  }
  for (let layer = 0; layer < layers; layer++) {
    const part = (all: Float32Array) => all.subarray(layer * D * B * H, (layer + 1) * D * B * H)
    const state = (all: Float32Array) => new runtime.Tensor('float32', part(all), [D, B, H])
    feeds[`h0_${layer}`] = state(tensors.h0.data as Float32Array)
    feeds[`c0_${layer}`] = state(tensors.c0.data as Float32Array)
    fetches[`h_${layer}`] = state(h)
    fetches[`c_${layer}`] = state(c)
  }
  return {
    run: () => session.run(feeds, fetches),
    results: () => ({
      output: swapAxes({ shape: [T, B, D * H], data: output }),
      h: { shape: [layers * D, B, H], data: h },
      c: { shape: [layers * D, B, H], data: c },
    }),
  }
}

/** LSTM nodes with a transposition [T, D, B, H] → [T, B, D·H] behind each where there are two directions. */
function buildModel({ case: one, tensors, lengths }: Problem): ModelParts {
  const { B, T, H, layers, directions: D } = one
  const nodes: OnnxNode[] = []
  const weights: Record<string, OnnxTensor> = { joined: int64s([T, B, D * H]) }
  const inputs: ModelParts['inputs'] = { x: { type: 'float32', shape: [T, B, one.I] } }
  const outputs: ModelParts['outputs'] = { output: { type: 'float32', shape: [T, B, D * H] } }
  if (lengths) inputs.lengths = { type: 'int32', shape: [B] }
  inputSizes(one).forEach((I, layer) => {
    const suffixes = D === 2 ? [`_l${layer}`, `_l${layer}_reverse`] : [`_l${layer}`]
    weights[`W${layer}`] = stackGates(
      tensors,
      suffixes.map((suffix) => [`weight_ih${suffix}`]),
      [D, 4 * H, I],
    )
    weights[`R${layer}`] = stackGates(
      tensors,
      suffixes.map((suffix) => [`weight_hh${suffix}`]),
      [D, 4 * H, H],
    )
    const biases = suffixes.map((suffix) => [`bias_ih${suffix}`, `bias_hh${suffix}`])
    weights[`B${layer}`] = stackGates(tensors, biases, [D, 8 * H])
    const state = { type: 'float32' as const, shape: [D, B, H] }
    Object.assign(inputs, { [`h0_${layer}`]: state, [`c0_${layer}`]: state })
    Object.assign(outputs, { [`h_${layer}`]: state, [`c_${layer}`]: state })
    const from = layer === 0 ? 'x' : `joined_${layer - 1}`
    const to = layer === layers - 1 ? 'output' : `joined_${layer}`
    nodes.push({
      type: 'LSTM',
      inputs: [
        from,
        `W${layer}`,
        `R${layer}`,
        `B${layer}`,
        lengths ? 'lengths' : '',
        `h0_${layer}`,
        `c0_${layer}`,
      ],
      outputs: [`y_${layer}`, `h_${layer}`, `c_${layer}`],
      attributes: { hidden_size: H, direction: D === 2 ? 'bidirectional' : 'forward' },
    })
    if (D === 2) {
      const attributes = { perm: [0, 2, 1, 3] }
      nodes.push({ type: 'Transpose', inputs: [`y_${layer}`], outputs: [`turned_${layer}`], attributes })
    }
    const joined = D === 2 ? `turned_${layer}` : `y_${layer}`
    nodes.push({ type: 'Reshape', inputs: [joined, 'joined'], outputs: [to], attributes: {} })
  })
  return { nodes, weights, inputs, outputs }
}

/** Joins tensors whose first axis holds the gates i, f, g, o, each brought to the order of ONNX: i, o, f, c (our g). */
function stackGates(tensors: Tensors, names: string[][], shape: number[]): OnnxTensor {
  const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
  let at = 0
  for (const name of names.flat()) {
    const source = tensors[name].data
    const gate = source.length / 4
    for (const g of [0, 3, 1, 2]) {
      data.set(source.subarray(g * gate, (g + 1) * gate), at)
      at += gate
    }
  }
  return { type: 'float32', shape, data }
}

function int64s(values: number[]): OnnxTensor {
  return { type: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) }
}
