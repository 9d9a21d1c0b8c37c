/**
 * The program behind test/soak.test.ts, in a process of its own: trains and predicts for long, and writes the resident
 * set in bytes after the first hundred rounds and after the last as JSON. Arguments: the library's index.js, training
 * steps, predictions.
 */
const [index, ...counts] = process.argv.slice(2)
const [trainingSteps, predictions] = counts.map(Number)
const lstm = await import(index)
const {
  adam,
  fit,
  LSTM,
  Linear,
  lastStep,
  meanSquaredError,
  noGrad,
  parametersOf,
  recycle,
  Sequential,
  tensor,
} = lstm

/** The resident set, garbage left out: what the program holds, not what nobody has collected yet. */
function residentSet() {
  globalThis.gc()
  return process.memoryUsage.rss()
}

function ramp(length) {
  return Float32Array.from({ length }, (_, i) => Math.sin(i))
}

const [B, T, I, H] = [4, 8, 3, 16]
const x = tensor(ramp(B * T * I), { shape: [B, T, I] })
const y = tensor(ramp(B), { shape: [B, 1] })
const sample = tensor(ramp(I), { shape: [1, 1, I] })

function makeModel() {
  return new Sequential([
    new LSTM({ inputSize: I, hiddenSize: H, numLayers: 2, dropout: 0.1, seed: 1 }),
    lastStep(),
    new Linear({ inputSize: H, outputSize: 1, seed: 2 }),
  ])
}

/** Runs `round` the given number of times, with the resident set after the first hundred and after the last. */
function measure(times, round) {
  const sizes = { before: 0, after: 0 }
  for (let count = 1; count <= times; count++) {
    round()
    if (count === 100) sizes.before = residentSet()
  }
  sizes.after = residentSet()
  return sizes
}

async function fitting() {
  const sizes = { before: 0, after: 0 }
  const epochOfHundred = Array.from({ length: 100 }, () => ({ x, y }))
  const options = { loss: meanSquaredError, optimizer: adam(), epochs: trainingSteps / 100, clipNorm: 1 }
  for await (const epoch of fit(makeModel(), epochOfHundred, options)) {
    if (epoch.number === 1) sizes.before = residentSet()
  }
  sizes.after = residentSet()
  return sizes
}

function loop() {
  const model = makeModel()
  const optimizer = adam().bind(parametersOf(model))
  return measure(trainingSteps, () =>
    recycle(() => {
      const loss = meanSquaredError(model.forward(x), y)
      optimizer.zeroGrad()
      loss.backward()
      optimizer.step()
    }),
  )
}

function predicting() {
  const model = makeModel()
  let state = null
  return measure(predictions, () => {
    state = noGrad(() => model.forward(sample, { state })).state
  })
}

const first = await fitting()
console.log(
  JSON.stringify({ backend: lstm.backend().name, fit: first, loop: loop(), prediction: predicting() }),
)
