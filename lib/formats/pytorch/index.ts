/** Models of PyTorch: exports only. */
export { loadPyTorch, loadPyTorchWeights } from './load.ts'
export type { ModuleType } from './modules.ts'
export { type Proposal, proposeSpecification } from './propose.ts'
export { savePyTorch } from './save.ts'
export type { LayerSpecification } from './specification.ts'
