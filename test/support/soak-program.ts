/**
 * The program behind test/soak.test.ts, in a process of its own: trains and predicts for long, and writes the resident
 * set in bytes after the first hundred rounds and after the last as JSON.
 */
import {
  adam,
  backend,
  Linear,
  LSTM,
  lastStep,
  meanSquaredError,
  noGrad,
  parametersOf,
  recycle,
  Sequential,
  setTraining,
  tensor,
} from 'lstm-native'

const [trainingSteps, predictions] = process.argv.slice(2).map(Number)

/** The resident set, garbage left out: what the program holds, not what nobody has collected yet. */
function residentSet(): number {
  globalThis.gc!()
  return process.memoryUsage.rss()
}

function ramp(length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(i))
}

function trainStep(): void {
  recycle(() => {
    const loss = meanSquaredError(model.forward(x), y)
    optimizer.zeroGrad()
    loss.backward()
    optimizer.step()
  })
}

const [B, T, I, H] = [4, 8, 3, 16]
const model = new Sequential([
  new LSTM({ inputSize: I, hiddenSize: H, numLayers: 2, dropout: 0.1, seed: 1 }),
  lastStep(),
  new Linear({ inputSize: H, outputSize: 1, seed: 2 }),
])
const x = tensor(ramp(B * T * I), { shape: [B, T, I] })
const y = tensor(ramp(B), { shape: [B, 1] })
const optimizer = adam({ learningRate: 1e-3 }).bind(parametersOf(model))

setTraining(model, true)
for (let step = 0; step < 100; step++) trainStep()
const training = { before: residentSet(), after: 0 }
for (let step = 100; step < trainingSteps; step++) trainStep()
training.after = residentSet()

setTraining(model, false)
const sample = tensor(ramp(I), { shape: [1, 1, I] })
let state: unknown = null
let checksum = 0
function predict(): void {
  const result = noGrad(() => model.forward(sample, { state }))
  state = result.state
  checksum += result.output.item()
}

for (let count = 0; count < 100; count++) predict()
const prediction = { before: residentSet(), after: 0 }
for (let count = 100; count < predictions; count++) predict()
prediction.after = residentSet()

console.log(JSON.stringify({ backend: backend().name, training, prediction, checksum }))
