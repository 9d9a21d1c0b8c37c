/** What the report of the recipe shows: the training, who was understood how well, and what was heard. */
import { editDistance, softmax, tensor } from 'lstm-native'
import type { Section } from 'lstm-native/report'
import { best, errorRate, type Heard } from './hearing.ts'
import { textOf } from './strings.ts'

export interface Run {
  seed: number
  losses: readonly number[]
  heard: readonly Heard[]
  beam: number
  greedy: number
}

export function sectionsOf(runs: readonly Run[]): Section[] {
  const [{ seed, heard }] = runs
  const speakers = [...new Set(heard.map(({ string }) => string.speaker))].sort()
  const wrong = heard.filter((one) => errorsOf(one) > 0)
  const right = heard.filter((one) => errorsOf(one) === 0)
  return [
    {
      kind: 'text',
      paragraphs: [
        'Strings of three to five digits, joined without a pause from recordings of one speaker, drawn anew in each epoch from ' +
          'those of index 5 and more; tested on strings joined from indices 0 to 4. The network reads log-mel features, 40 bands ' +
          '100 times a second, through a convolution that takes three frames in one step and a bidirectional LSTM. It is trained ' +
          'with connectionist temporal classification (Graves et al. 2006): the target says which digits come, not when.',
      ],
    },
    {
      kind: 'lines',
      title: 'Loss by epoch, a label',
      lines: runs.map(({ seed, losses }) => ({
        name: `seed ${seed}`,
        points: losses.map((y, i) => ({ x: i + 1, y })),
      })),
      x: { format: 'd' },
      y: { scale: 'log' },
    },
    {
      kind: 'table',
      title: `Who was understood, seed ${seed}`,
      columns: ['speaker', 'strings', 'word error rate'],
      rows: speakers.map((speaker) => {
        const own = heard.filter(({ string }) => string.speaker === speaker)
        return [speaker, String(own.length), `${errorRate(own, best).toFixed(2)} %`]
      }),
    },
    ...[right.at(0), wrong.at(0)].filter((one) => one !== undefined).map(heardOverTime),
    {
      kind: 'table',
      title: `What was heard, seed ${seed}`,
      columns: ['said', 'heard', 'next likely', 'speaker', 'errors'],
      textColumns: 4,
      rows: [...wrong.slice(0, 30), ...right.slice(0, 10)].map((one) => [
        textOf(one.string.digits),
        { text: textOf(best(one)) || 'nothing', best: errorsOf(one) === 0 },
        textOf(one.hypotheses[1]?.digits ?? []) || 'nothing',
        one.string.speaker,
        String(errorsOf(one)),
      ]),
      note: `${wrong.length} of ${heard.length} strings have an error; at most 30 of them are shown, then ten that have none.`,
    },
  ]
}

function errorsOf(one: Heard): number {
  return editDistance(one.string.digits, best(one)).total
}

/** The probability of each class at each step. */
function heardOverTime(one: Heard): Section {
  const steps = softmax(tensor(one.logits)).toArray() as number[][]
  const classes = ['–', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']
  return {
    kind: 'heatMap',
    title: `“${textOf(one.string.digits)}”, heard as “${textOf(best(one))}”`,
    rows: classes,
    columns: steps.map((_, t) => (t % 10 === 0 ? (t * 0.03).toFixed(1) : '')),
    values: classes.map((_, c) => steps.map((row) => row[c])),
    x: { label: 'seconds' },
    y: { label: 'digit, or – for none' },
    size: 'full',
    caption:
      'Probability of each digit at each step: a short peak where it is heard, the blank of CTC in between.',
  }
}
