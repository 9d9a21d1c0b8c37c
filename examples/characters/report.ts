/** What the report shows of the runs: losses as they fell, and what the model writes. */
import type { Section } from 'lstm-native/report'

export interface Run {
  seed: number
  /** On the held-out part, the same as nats a character. */
  nats: number
  perplexity: number
  minutes: number
  /** After each epoch. */
  curve: { characters: number; loss: number; heldOut: number }[]
  sample: string
}

export function sections(
  runs: readonly Run[],
  { settings, ...sizes }: { settings: object; train: number; heldOut: number; vocabulary: number },
): Section[] {
  const name = (text: string, { seed }: Run) => (runs.length === 1 ? text : `${text}, seed ${seed}`)
  const line = (text: string, pick: (point: Run['curve'][number]) => number) =>
    runs.map((run) => ({
      name: name(text, run),
      points: run.curve.map((point) => ({ x: point.characters / 1e6, y: pick(point) })),
    }))
  return [
    {
      kind: 'lines',
      title: 'Nats a character',
      lines: [
        ...line('training, with dropout', ({ loss }) => loss),
        ...line('held out', ({ heldOut }) => heldOut),
      ],
      x: { label: 'million characters read' },
      caption:
        'The held-out tenth is looked at after each epoch and chooses nothing: the figure is that of the last epoch.',
    },
    {
      kind: 'samples',
      title: 'Written by the model',
      samples: runs.map((run) => ({ label: name('temperature 0.8', run), text: run.sample })),
    },
    {
      kind: 'groups',
      title: 'Configuration',
      groups: [
        { title: 'Text, characters', entries: entriesOf(sizes) },
        { title: 'Training', entries: entriesOf(settings) },
      ],
    },
  ]
}

function entriesOf(values: object): [name: string, value: string][] {
  return Object.entries(values).map(([name, value]) => [name, Number(value).toLocaleString('en')])
}
