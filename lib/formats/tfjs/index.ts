/** Layers models of TensorFlow.js: exports only. */
export { decodeTfjs, loadTfjs } from './read.ts'
export { encodeTfjs, saveTfjs } from './write.ts'
