/** Saves two models in turn to one file for ever, until it is killed: `tsx save-program.ts PATH`. */
import { Linear, parametersOf, save } from 'lstm-native'

const [, , path] = process.argv
// 4 MiB: writing and flushing it takes most of the time between two saves.
const models = [1, 2].map((value) => {
  const model = new Linear({ inputSize: 1024, outputSize: 1024, seed: 1 })
  for (const { data } of parametersOf(model).values()) data.fill(value)
  return model
})
for (let n = 0; ; n++) {
  await save(models[n % 2], path)
  if (n === 0) process.stdout.write('saving\n')
}
