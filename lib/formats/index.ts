/** Models that come and go, the public door of `lstm-native/formats`: exports only. */
export {
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  type Safetensors,
  type StoredArray,
  type StoredTensor,
  type StoredType,
} from './safetensors/index.ts'
