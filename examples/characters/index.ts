/** Characters: an LSTM reads Shakespeare letter by letter, learns to tell each from those before, and goes on by itself. */
import {
  adamW,
  compile,
  cosine,
  crossEntropy,
  DataError,
  evaluate,
  fit,
  generate,
  perplexity,
  type Sequential,
  save,
  seedAll,
  warmUp,
} from 'lstm-native'
import {
  characterVocabulary,
  openCorpus,
  textLines,
  type Vocabulary,
  vocabularyMetadata,
} from 'lstm-native/text'
import type { Outcome, Recipe, RecipeContext } from '../support/recipe.ts'
import { characterModel } from './model.ts'
import { type Run, sections } from './report.ts'

const file = 'text/tinyshakespeare.txt'

/** Characters of the whole text: the figure is that of its last tenth. */
const wholeText = 1_115_394

const settings = {
  full: {
    units: 384,
    dropout: 0.3,
    batchSize: 32,
    steps: 64,
    epochs: 14,
    rate: 5e-3,
    warmUp: 200,
    sample: 1200,
  },
  quick: { units: 96, dropout: 0, batchSize: 16, steps: 32, epochs: 3, rate: 1e-2, warmUp: 20, sample: 200 },
}
const bounds = { full: { nats: 1.44, minutes: 20 }, quick: { nats: 2, minutes: 2 } }

export const recipe: Recipe = {
  name: 'characters',
  title: 'Tiny Shakespeare, a character at a time',
  files: [file],
  options: { model: { type: 'string', description: 'a file to save the model to, with its vocabulary' } },
  comparisons: [
    {
      name: 'PyTorch: an LSTM of 2 × 384 units in bfloat16, dropout 0.3, a cosine rate, 12 million characters',
      value: '1.444 nats a character',
      source: 'measured on the same last tenth',
    },
  ],
  run,
}

async function run(context: RecipeContext): Promise<Outcome> {
  const { quick, seeds, options, signal } = context
  const [given, bound] = quick ? [settings.quick, bounds.quick] : [settings.full, bounds.full]
  const path = context.path(file)
  const vocabulary = await characterVocabulary(textLines(path, { keepEnds: true }))
  const { batchSize, steps } = given
  const train = await openCorpus(path, { vocabulary, batchSize, steps, part: [0, 0.9], shift: true })
  const heldOut = await openCorpus(path, { vocabulary, batchSize: 8, steps: 256, part: [0.9, 1] })
  const characters = train.tokens + heldOut.tokens
  if (!quick && characters !== wholeText) {
    const fix = 'bring the whole text: the figure is that of its last tenth'
    throw new DataError({ file: path, expected: `${wholeText} characters`, got: String(characters), fix })
  }

  const runs: Run[] = []
  for (const seed of seeds) {
    const began = performance.now()
    seedAll(seed)
    const model = characterModel(vocabulary.size, given)
    const curve: Run['curve'] = []
    const training = fit(model, train, {
      loss: crossEntropy,
      epochs: given.epochs,
      optimizer: adamW({ learningRate: given.rate, beta2: 0.99, weightDecay: 0.01 }),
      schedule: warmUp({ length: given.warmUp, next: cosine() }),
      clipNorm: 1,
      seed,
      signal,
    })
    for await (const { number, loss, seconds } of training) {
      const { loss: held } = await evaluate(model, heldOut, { loss: crossEntropy, signal })
      curve.push({ characters: number * train.tokens, loss, heldOut: held })
      const rate = Math.round(train.tokens / seconds)
      context.log(
        `seed ${seed}, epoch ${number}/${given.epochs}: ${loss.toFixed(3)}, held out ${held.toFixed(3)} nats, ${rate} characters/s`,
      )
    }
    const final = await evaluate(model, heldOut, { loss: crossEntropy, metrics: { perplexity }, signal })
    const minutes = (performance.now() - began) / 60_000
    const sample = await continued(model, vocabulary, { prompt: 'ROMEO:\n', length: given.sample, seed })
    runs.push({ seed, nats: final.loss, perplexity: final.metrics.perplexity, minutes, curve, sample })
    if (options.model !== undefined) {
      await save(model, String(options.model), { metadata: vocabularyMetadata(vocabulary) })
    }
  }
  const worst = (pick: (run: Run) => number) => Math.max(...runs.map(pick))
  return {
    figures: [
      {
        name: 'held out',
        value: worst(({ nats }) => nats),
        unit: 'nats a character',
        digits: 4,
        atMost: bound.nats,
      },
      {
        name: 'training',
        value: worst(({ minutes }) => minutes),
        unit: 'minutes',
        digits: 1,
        atMost: bound.minutes,
      },
      { name: 'perplexity', value: worst((each) => each.perplexity), digits: 3 },
    ],
    report: sections(runs, {
      settings: given,
      train: train.tokens,
      heldOut: heldOut.tokens,
      vocabulary: vocabulary.size,
    }),
  }
}

/** The prompt, and what the model makes of it: each character drawn from the probabilities, those of few the rarer. */
async function continued(
  model: Sequential,
  vocabulary: Vocabulary,
  { prompt, length, seed }: { prompt: string; length: number; seed: number },
): Promise<string> {
  const options = { prompt: vocabulary.encode(prompt), maxLength: length, temperature: 0.8, seed }
  const { tokens } = await generate(compile(model), options).result()
  return prompt + vocabulary.decode(tokens)
}
