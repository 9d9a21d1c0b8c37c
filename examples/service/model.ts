import { adam, dataSet, fit, Linear, LSTM, meanSquaredError, Sequential, tensor } from 'lstm-native'

/** A model to begin with: [T, 1] to [T, 1], at each step the next value of a sine of period 12. */
export async function learnSine(): Promise<Sequential> {
  const model = new Sequential([
    new LSTM({ inputSize: 1, hiddenSize: 16, seed: 1 }),
    new Linear({ inputSize: 16, outputSize: 1, seed: 2 }),
  ])
  const [B, T] = [12, 36]
  const sines = (shift: number) =>
    tensor(
      Float32Array.from({ length: B * T }, (_, i) =>
        Math.sin(((Math.floor(i / T) + (i % T) + shift) * Math.PI) / 6),
      ),
      {
        shape: [B, T, 1],
      },
    )
  const data = dataSet({ x: sines(0), y: sines(1) })
  const options = { loss: meanSquaredError, optimizer: adam({ learningRate: 0.02 }), epochs: 150, seed: 3 }
  for await (const _ of fit(model, data, options));
  return model
}
