/** What a sequence's state must know of the model that made it. */
import { createHash } from 'node:crypto'
import { sizeSteps } from '../../kernels/plan-widths.ts'
import { type Layer, tensorsOf } from '../../layers/layer.ts'

export interface ModelIdentity {
  /** Of the configuration and every bit of the weights: 32 hexadecimal digits. */
  fingerprint: string
  /**
   * The type and the LSTMs whose h and c stand one after another in a state, each with its directions, hidden and projected
   * size: `float32 1x64 1x64p32`. The same on every target and back end.
   */
  stateLayout: string
}

/** @throws {TypeError} if a layer has no frozen form, as `compile` does */
export function identityOf(model: Layer): ModelIdentity {
  const hash = createHash('sha256').update(JSON.stringify(model.config()))
  let type = 'float32'
  for (const [name, parameter] of tensorsOf(model)) {
    const { array, dataType } = parameter
    type = dataType
    hash.update(`\n${name} ${dataType} ${parameter.shape}\n`)
    hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
  }
  const lstms = sizeSteps(model.freeze()).sized.flatMap(({ step }) => (step.kind === 'lstm' ? [step] : []))
  const sizes = lstms.map(({ directions, H, P }) => `${directions.length}x${H}${P ? `p${P}` : ''}`)
  return { fingerprint: hash.digest('hex').slice(0, 32), stateLayout: [type, ...sizes].join(' ') }
}
