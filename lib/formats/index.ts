/** Models that come and go, the public door of `lstm-native/formats`: exports only. */
export { decodeOnnx, type GraphValue, loadOnnx, type OnnxInput, OnnxModel } from './onnx/index.ts'
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
