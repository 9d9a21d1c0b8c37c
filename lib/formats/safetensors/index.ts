/** The safetensors format: exports only. */
export * from './safetensors.ts'
