/** What the recipe shows beside its figures. */
import type { ChartLine, Section } from 'lstm-native/report'
import { gradientReach } from './gradients.ts'
import { testSize, tolerance } from './task.ts'
import { adder, type Kind, type Run } from './train.ts'

/** @param length the nominal length at which the reach of the gradient is shown */
export function reportOf(runs: readonly Run[], length: number): Section[] {
  const nameOf = ({ kind, length, seed }: Run) => `${kind}, T = ${length}, seed ${seed}`
  const [{ seed }] = runs
  const trained = runs.filter((run) => run.length === length && run.seed === seed)
  return [
    {
      kind: 'text',
      paragraphs: [
        'A sequence of pairs, a number from [-1, 1] and a marker; two of the pairs are marked, one of the first ten and one ' +
          'of the first half. At the end the network says one half plus a quarter of the sum of the two marked numbers. ' +
          `Right is what is less than ${tolerance} off. No sequence is seen twice.`,
      ],
    },
    {
      kind: 'lines',
      title: 'Mean squared error by epoch',
      lines: runs.map((run) => ({ name: nameOf(run), points: run.losses.map((y, i) => ({ x: i + 1, y })) })),
      x: { format: 'd', label: 'epoch' },
      y: { scale: 'log' },
    },
    {
      kind: 'lines',
      title: `How far the gradient reaches at T = ${length}, before training`,
      lines: (['LSTM', 'RNN'] as Kind[]).flatMap((kind) => reachOf(kind, adder(kind, length, seed), length)),
      x: { format: 'd', label: 'lag: steps before the last' },
      y: { scale: 'log', label: 'norm of the gradient', format: '.0e' },
      caption:
        'The norm of the gradient of the loss with respect to the state so many steps before the last. The LSTM keeps it in ' +
        'its cell c, whose forget gates start out remembering; in the Elman network it shrinks by a factor a step.',
    },
    ...(trained.length > 0
      ? [
          {
            kind: 'lines' as const,
            title: `The same after training, seed ${seed}`,
            lines: trained.flatMap(({ kind, model }) => reachOf(kind, model, length)),
            x: { format: 'd', label: 'lag: steps before the last' },
            y: { scale: 'log' as const, label: 'norm of the gradient', format: '.0e' },
          },
        ]
      : []),
    {
      kind: 'table',
      title: `Wrong of ${testSize} fresh sequences`,
      columns: ['run', 'wrong', 'sequences learned from', 'seconds'],
      rows: runs.map((run) => [
        nameOf(run),
        String(run.wrong),
        run.learned.toLocaleString('en-US'),
        run.seconds.toFixed(1),
      ]),
    },
  ]
}

function reachOf(kind: Kind, model: Run['model'], length: number): ChartLine[] {
  const { h, c } = gradientReach(model, length)
  // A gradient that has vanished altogether has no place on a logarithmic axis.
  const points = (norms: readonly number[]) => norms.map((y, i) => ({ x: i + 1, y })).filter(({ y }) => y > 0)
  const lines = [{ name: `${kind === 'RNN' ? 'Elman network' : kind}: h`, points: points(h) }]
  return c ? [{ name: `${kind}: c`, points: points(c) }, ...lines] : lines
}
