/** Spells strings of spoken digits that it was never shown the boundaries of: `npm run recipe -- speech`. */
import { Random } from 'lstm-native'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { best, errorRate, hear } from './hearing.ts'
import { type Size, train } from './network.ts'
import { readVoices, type Voices } from './recordings.ts'
import { sectionsOf } from './report.ts'
import { type DigitString, drawString, Ear } from './strings.ts'

export const recipe: Recipe = {
  name: 'speech',
  title: 'Strings of spoken digits, spelled without knowing where one ends',
  comparisons: [
    {
      name: 'Single digits of the same recordings, on the same split',
      value: '97 % and more right',
      source: 'usual for the Free Spoken Digit Dataset (github.com/Jakobovski/free-spoken-digit-dataset)',
    },
  ],
  files: ['speech/recordings'],
  run,
}

/** The strings of the test are always the same. */
const testSeed = 1
const testStrings = 500

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, log } = context
  const size: Size = quick
    ? { hidden: 48, epochs: 14, strings: 128, batchSize: 8 }
    : { hidden: 96, epochs: 20, strings: 1024, batchSize: 8 }
  const voices = await readVoices(context.path('speech/recordings'))
  const ear = new Ear(voices.train)
  const test = testOf(voices.test, quick ? 60 : testStrings)
  const runs = []
  for (const seed of context.seeds) {
    const { model, losses } = await train(voices.train, { ear, size, seed, context })
    const heard = hear(model, test, ear)
    const [beam, greedy] = [errorRate(heard, best), errorRate(heard, (one) => one.greedy)]
    log(`seed ${seed}: ${beam.toFixed(2)} % of the words wrong, ${greedy.toFixed(2)} % decoded greedily`)
    runs.push({ seed, losses, heard, beam, greedy })
  }
  return {
    figures: [
      {
        name: 'word error rate, prefix beam search, worst seed',
        value: Math.max(...runs.map(({ beam }) => beam)),
        unit: '%',
        atMost: quick ? 40 : 4,
      },
      {
        name: 'word error rate, greedy decoding, worst seed',
        value: Math.max(...runs.map(({ greedy }) => greedy)),
        unit: '%',
      },
    ],
    report: sectionsOf(runs),
  }
}

function testOf(voices: Voices, size: number): DigitString[] {
  const random = new Random(testSeed)
  return Array.from({ length: size }, () => drawString(voices, random))
}
