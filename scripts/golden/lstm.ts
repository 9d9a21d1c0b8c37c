/** Golden cases of kind `lstm`: one forward and one backward through the LSTM layer, every gradient compared. */
import type { FloatDataType } from '../../lib/layers/initialisation.ts'
import { parametersOf } from '../../lib/layers/layer.ts'
import { LSTM } from '../../lib/layers/lstm.ts'
import { add, multiply } from '../../lib/operations/pointwise.ts'
import { sum } from '../../lib/operations/reductions.ts'
import { batchFirst, Comparison, type Golden, type Outcome, type Runner, tensorOf } from './case.ts'

interface LstmConfig {
  I: number
  H: number
  layers: number
  bidirectional: boolean
  bias: boolean
  proj: number
  lengths: number[] | null
}

export const lstmRunner: Runner = {
  groups: ['outputs', 'gradients'],
  bounds: {
    float64: { outputs: 1e-10, gradients: 1e-10 },
    float32: { outputs: 1e-5, gradients: 1e-4 },
  },
  run,
}

function run(golden: Golden, dataType: FloatDataType): Outcome {
  const config = golden.config as unknown as LstmConfig
  const model = new LSTM({
    inputSize: config.I,
    hiddenSize: config.H,
    numLayers: config.layers,
    bidirectional: config.bidirectional,
    bias: config.bias,
    projectionSize: config.proj,
    dataType,
  })
  const parameters = parametersOf(model)
  for (const [name, parameter] of parameters) parameter.data.set(tensorOf(golden.get(name), dataType).data)

  const x = tensorOf(batchFirst(golden.get('x')), dataType, true)
  const h = tensorOf(golden.get('h0'), dataType, true)
  const c = tensorOf(golden.get('c0'), dataType, true)
  const lengths = config.lengths ? Int32Array.from(config.lengths) : undefined
  const { output, state } = model.forward(x, { state: { h, c }, lengths })

  const weighted = (value: typeof x, name: string) => {
    const upstream = golden.get(name)
    return sum(multiply(value, tensorOf(name === 'dy' ? batchFirst(upstream) : upstream, dataType)))
  }
  add(add(weighted(output, 'dy'), weighted(state.h, 'dhn')), weighted(state.c, 'dcn')).backward()

  const outputs = new Comparison()
  outputs.add('y', output.data as Float64Array, batchFirst(golden.get('y')))
  outputs.add('hn', state.h.data as Float64Array, golden.get('hn'))
  outputs.add('cn', state.c.data as Float64Array, golden.get('cn'))

  const gradients = new Comparison()
  const leaves = new Map([...parameters, ['x', x], ['h0', h], ['c0', c]])
  const names = golden.namesUnder('d.')
  const missing = [...leaves.keys()].find((name) => !names.includes(name))
  if (missing) throw new Error(`the file has no gradient d.${missing}`)
  for (const name of names) {
    const expected = golden.get(`d.${name}`)
    gradients.add(`d.${name}`, leaves.get(name)?.grad, name === 'x' ? batchFirst(expected) : expected)
  }
  return { outputs: outputs.worst, gradients: gradients.worst }
}
