/**
 * The program behind test/workers.test.ts, in a process of its own: starts worker threads that load the addon and train
 * without end, ends them in the middle of a call, again and again, and writes what is left as JSON. Plain JavaScript, so
 * that a worker costs little more than the addon.
 */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'

const [addonPath, rounds, workersPerRound] = [process.argv[2], ...process.argv.slice(3).map(Number)]

/** A worker's call takes some milliseconds and some megabytes of scratch memory: a lost environment would show. */
const endlessTraining = `
  const { workerData, parentPort } = require('node:worker_threads')
  const addon = require(workerData.addonPath)
  addon.setTarget(workerData.target)
  addon.setThreads(1 + (workerData.index % 3))
  const [B, T, I, H] = [16, 12, 64, 64]
  const array = (n) => Float32Array.from({ length: n }, (_, i) => Math.sin(i) / 8)
  const shape = { B, T, I, H, P: 0, layerNorm: false }
  const weights = () => ({
    weightIh: array(4 * H * I), weightHh: array(4 * H * H), biasIh: array(4 * H), biasHh: array(4 * H),
  })
  const forward = {
    ...shape, reverse: false, parameters: weights(), eps: 1e-5,
    x: array(B * T * I), xBatchStride: T * I, xTimeStride: I,
    y: array(B * T * H), yBatchStride: T * H, yTimeStride: H,
    hn: array(B * H), cn: array(B * H), cache: new Float32Array(addon.lstmCacheLength(shape)),
  }
  const [N, C] = [512, 64]
  const loss = { N, C, logits: array(N * C), targets: new Int32Array(N), ignoreIndex: -100, dlogits: array(N * C) }
  const backward = { ...forward, dy: array(B * T * H), dx: array(B * T * I), dparameters: weights() }
  for (let count = 0; ; count++) {
    addon.lstmForward([forward])
    addon.lstmBackward([backward])
    // The one that makes objects of JavaScript after its work, when the worker may be dead already.
    addon.softmaxCrossEntropy(loss)
    if (count === 0) parentPort.postMessage(addon.report())
  }`

/** Starts the workers and resolves when each has been through its first call, with what their addons report. */
async function startWorkers() {
  const targets = addon.available()
  const workers = Array.from({ length: workersPerRound }, (_, index) => {
    const workerData = { addonPath, index, target: targets[index % targets.length] }
    return new Worker(endlessTraining, { eval: true, workerData })
  })
  const reports = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
  return { workers, reports }
}

const addon = createRequire(import.meta.url)(addonPath)
const before = addon.report()
let warm = 0
let reported = []
for (let round = 0; round < rounds; round++) {
  const { workers, reports } = await startWorkers()
  reported = reports
  // Somewhere in the next calls: every round strikes at another moment.
  await new Promise((done) => setTimeout(done, round % 7))
  await Promise.all(workers.map((worker) => worker.terminate()))
  // The first rounds fill the allocator's own caches.
  if (round === Math.min(9, rounds - 2)) warm = process.memoryUsage.rss()
}
const grown = process.memoryUsage.rss() - warm
console.log(JSON.stringify({ before, after: addon.report(), reported, grown }))
// The last ones are still at work when the process ends.
await startWorkers()
process.exit(0)
