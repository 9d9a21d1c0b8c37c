/** The ONNX format: exports only. */
export type { GraphValue } from './graph.ts'
export { decodeOnnx, loadOnnx, type OnnxInput, OnnxModel } from './model.ts'
