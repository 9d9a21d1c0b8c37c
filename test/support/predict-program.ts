/** What happens to predictions when a process or a thread ends. */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { compile } from '../../lib/inference/plan.ts'
import { LSTM } from '../../lib/layers/lstm.ts'
import { Sequential } from '../../lib/layers/sequential.ts'
import { Tensor } from '../../lib/tensor.ts'

const start = new URL('worker-start.mjs', import.meta.url)
const plan = compile(new Sequential([new LSTM({ inputSize: 8, hiddenSize: 128, seed: 1 })]))
const x = new Tensor([32, 100, 8], new Float32Array(32 * 100 * 8))

if (!isMainThread) {
  for (let i = 0; i < 6; i++) plan.predict(x)
  parentPort!.postMessage('begun')
} else if (process.argv[2] === 'stay') {
  let done = 0
  for (let i = 0; i < 3; i++) plan.predict(x).then(() => done++)
  process.on('exit', () => console.log(`done ${done}`))
} else {
  let ended = 0
  for (let round = 0; round < 8; round++) {
    const workers = [1, 2, 3].map(() => new Worker(start, { workerData: { program: import.meta.url } }))
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    // Some in the middle of the first run, some with runs that have not begun.
    await new Promise((resolve) => setTimeout(resolve, 3 * round))
    await Promise.all(workers.map((worker) => worker.terminate()))
    ended += workers.length
  }
  console.log(`ended ${ended}`)
}
