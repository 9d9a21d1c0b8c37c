/** The report of a recipe: its figures, what it shows, what it is compared with, and how it ran. */
import { renderPage, type Section } from 'lstm-native/report'
import type { Command } from './command.ts'
import { boundOf, type Outcome, type Recipe, shown } from './recipe.ts'
import { type Result, runText } from './results.ts'

export function reportOf(
  recipe: Recipe,
  command: Command,
  outcome: Outcome,
  result: Result,
): Promise<string> {
  const headline: Section = {
    kind: 'headline',
    entries: result.figures.map((figure) => {
      const bound = boundOf(figure)
      const verdict = bound === '' ? '' : ` (${bound}: ${figure.met ? 'met' : 'missed'})`
      return {
        value: shown(figure, figure.value),
        text: `${figure.name}${verdict}`,
        good: bound !== '' && figure.met,
      }
    }),
  }
  const comparisons: Section = {
    kind: 'table',
    title: 'Compared with',
    columns: ['', 'value', 'source'],
    rows: recipe.comparisons.map(({ name, value, source }) => [name, value, source]),
    textColumns: 3,
  }
  const { machine, version, commit, seconds, date, seeds } = result
  const options = Object.entries(command.options).map(([name, value]) => [name, String(value)] as const)
  const run: Section = {
    kind: 'groups',
    title: 'The run',
    groups: [
      {
        title: 'Settings',
        entries: [['seeds', seeds.join(', ')], ...options, ['form', command.quick ? 'quick' : 'full']],
      },
      {
        title: 'Machine',
        entries: [
          ['processor', machine.cpu],
          ['cores', String(machine.cores)],
          ['target', machine.target],
          ['threads', String(machine.threads)],
        ],
      },
      {
        title: 'Time',
        entries: [
          ['seconds', String(seconds)],
          ['day', date],
          ['version', commit === undefined ? version : `${version}, ${commit}`],
        ],
      },
    ],
  }
  return renderPage({
    title: recipe.title,
    subtitle: command.quick
      ? 'The quick form: little data and little training, whose figures say only that everything runs.'
      : runText(result),
    sections: [headline, ...outcome.report, ...(recipe.comparisons.length > 0 ? [comparisons] : []), run],
  })
}
