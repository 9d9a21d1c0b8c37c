/** Runs the TypeScript program that `workerData.program` names in this worker thread. */
import { workerData } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

register()
await import(workerData.program)
