/** The safetensors format: exports only. */
export { decodeSafetensors, type Safetensors, type StoredTensor } from './decode.ts'
export { encodeSafetensors, type Metadata, type TensorToStore } from './encode.ts'
export type { TensorInfo } from './header.ts'
export { openSafetensors, readSafetensors, type SafetensorsFile } from './open.ts'
export { decodeShardIndex, openShards } from './shards.ts'
export type { FileType, StoredArray, StoredType } from './types.ts'
export { type LazyTensor, writeSafetensors } from './write.ts'
