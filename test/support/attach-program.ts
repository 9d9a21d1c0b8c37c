/** A worker thread that runs a plan of another. */
import { parentPort, workerData } from 'node:worker_threads'
import { attach } from '../../lib/inference/plan.ts'
import { useBackend } from '../../lib/kernels/index.ts'
import { Tensor } from '../../lib/tensor.ts'

const { shared, name, x, shape } = workerData
useBackend(name)
const y = await attach(shared).predict(new Tensor(shape, x))
parentPort!.postMessage({ y: y.array })
