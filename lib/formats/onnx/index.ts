/** The ONNX format: exports only. */
export { type EncodeOnnxOptions, encodeOnnx, type SaveOnnxOptions, saveOnnx } from './export.ts'
export type { GraphValue } from './graph.ts'
export { decodeOnnx, loadOnnx, type OnnxInput, OnnxModel } from './model.ts'
