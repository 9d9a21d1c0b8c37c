/** Models that come and go, the public door of `lstm-native/formats`: exports only. */
export { type Conversion, type ConvertOptions, convert } from './convert.ts'
export { detectFormat, type SourceFormat, type TargetFormat } from './detect.ts'
export { type Inspection, inspect, type LayerRow, type Port, type TensorRow } from './inspect/index.ts'
export {
  decodeKeras,
  decodeKerasWeights,
  encodeKeras,
  encodeKerasWeights,
  loadKeras,
  loadKerasWeights,
  type SaveKerasOptions,
  saveKeras,
} from './keras/index.ts'
export {
  decodeOnnx,
  type EncodeOnnxOptions,
  encodeOnnx,
  type GraphValue,
  loadOnnx,
  type OnnxInput,
  OnnxModel,
  type SaveOnnxOptions,
  saveOnnx,
} from './onnx/index.ts'
export {
  type LayerSpecification,
  loadPyTorch,
  loadPyTorchWeights,
  type ModuleType,
  type Proposal,
  proposeSpecification,
  savePyTorch,
} from './pytorch/index.ts'
export {
  decodeSafetensors,
  decodeShardIndex,
  encodeSafetensors,
  type FileType,
  type LazyTensor,
  type Metadata,
  openSafetensors,
  openShards,
  readSafetensors,
  type Safetensors,
  type SafetensorsFile,
  type StoredArray,
  type StoredTensor,
  type StoredType,
  type TensorInfo,
  type TensorToStore,
  writeSafetensors,
} from './safetensors/index.ts'
export { decodeTfjs, encodeTfjs, loadTfjs, saveTfjs } from './tfjs/index.ts'
