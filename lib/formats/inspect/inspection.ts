/** What `inspect` tells of a model. */
import type { Proposal } from '../pytorch/index.ts'

export interface Inspection {
  /** `ONNX, opset 17`. */
  format: string
  /** The program that wrote the file, where it says so. */
  producer?: string
  /** Sizes that the caller chooses have names, such as B and T; null is any, and no shape not even the number of axes. */
  inputs: readonly Port[]
  outputs: readonly Port[]
  layers: readonly LayerRow[]
  /** Numbers in the model's tensors; a checkpoint has more. */
  parameters: number
  /** As they are in the file. */
  tensors: readonly TensorRow[]
  metadata: Readonly<Record<string, unknown>>
  /** The model that names and shapes let guess, where the file does not tell one. */
  proposal?: Proposal
  /** Why the file does not become a model of this package, where it does not. */
  problem?: string
}

export interface Port {
  name: string
  dataType: string
  shape?: readonly (number | string | null)[]
}

export interface LayerRow {
  name: string
  /** `LSTM 3 → 16, 2 layers`. */
  kind: string
  /** Numbers in the layer's tensors. */
  parameters: number
}

export interface TensorRow {
  name: string
  dataType: string
  shape: readonly number[]
  /** Its elements. */
  parameters: number
  bytes: number
}
