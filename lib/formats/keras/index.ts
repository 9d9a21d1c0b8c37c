/** Models and weights of Keras: exports only. */
export { decodeKerasWeights, loadKerasWeights } from './load-weights.ts'
export { decodeKeras, loadKeras } from './read.ts'
export { encodeKeras, encodeKerasWeights, type SaveKerasOptions, saveKeras } from './write.ts'
