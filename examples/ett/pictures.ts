/** What the report of the transformer shows: two weeks of two variables, each day forecast at once. */
import type { Evaluation } from 'lstm-native/forecast'
import type { Section } from 'lstm-native/report'

export function picturesOf(evaluations: readonly Evaluation[]): Section[] {
  return [evaluations[0], evaluations.at(-1)!].map((evaluation) => {
    const { forecasts, truth, series } = evaluation
    const { horizon, origins, values, quantiles } = forecasts
    const Q = quantiles.length
    const starts = origins.flatMap((_, n) => (n % horizon === 0 ? [n] : [])).slice(-14)
    const points = starts.flatMap((n) =>
      Array.from({ length: horizon }, (_, step) => {
        const i = n * horizon + step
        const [lower, y, upper] = [0, (Q - 1) / 2, Q - 1].map((q) => values[i * Q + q])
        return { x: origins[n] + step, y, lower, upper, truth: truth[i] }
      }),
    )
    return {
      kind: 'lines',
      title: `${series}, standardised`,
      lines: [
        { name: 'truth', points: points.map(({ x, truth: y }) => ({ x, y })) },
        {
          name: 'median and 80 % band',
          points: points.map(({ x, y, lower, upper }) => ({ x, y, lower, upper })),
        },
      ],
      colours: ['var(--ink)', 'var(--accent)'],
      x: { label: 'hour', format: 'd' },
      caption: 'Each day is forecast at once from the two days before it.',
    }
  })
}
