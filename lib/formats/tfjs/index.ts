/** Layers models of TensorFlow.js: exports only. */
export { decodeTfjs, loadTfjs } from './read.ts'
export { saveTfjs } from './save.ts'
export { encodeTfjs } from './write.ts'
