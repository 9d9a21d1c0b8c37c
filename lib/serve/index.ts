/** Serving models over HTTP, the public door of `lstm-native/serve`: exports only. */
export type { BatchOptions, ServeOptions } from './options.ts'
export type { ReloadReport } from './repository.ts'
export { createServer, type InferenceServer } from './server.ts'
