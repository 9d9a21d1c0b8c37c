/**
 * The report of a run: pictures, scores, configuration. It only arranges what it is given; whoever has trained or
 * evaluated supplies it.
 */
import { renderPage } from '../report/page.ts'
import type { Section } from '../report/sections.ts'
import type { Future } from './charts.ts'
import { type Evaluation, labelsOf } from './evaluation.ts'
import { headlineEntries, scoreTable } from './report-sections.ts'

export interface ReportContent {
  title: string
  /** A sentence under the title. */
  subtitle: string
  /** One for each series and target. */
  evaluations: readonly Evaluation[]
  /** What the pictures of the first of them need beside them: as many are drawn. */
  pictures: readonly Picture[]
  /** Missing where a model is only evaluated. */
  training?: { epochs: readonly { number: number; loss: number; validationLoss?: number }[]; best?: number }
  /** What was run, on what and how long, in groups of name and value. */
  configuration: readonly { title: string; entries: readonly (readonly [string, string])[] }[]
}

export interface Picture {
  /** The labels of all rows of the series. */
  labels: readonly string[]
  future?: Future
}

/** The HTML text of a report. */
export async function renderReport(content: ReportContent): Promise<string> {
  // The drawing library is large: only who draws loads it.
  const { learningChart, stepChart } = await import('./charts.ts')
  const { title, subtitle, evaluations, training, configuration } = content
  const steps: Section = {
    kind: 'picture',
    svg: await stepChart(evaluations),
    caption: 'How the error grows with the distance of the forecast.',
  }
  const learning: Section | undefined = training && {
    kind: 'picture',
    svg: await learningChart(training.epochs, training),
    caption: learningCaption(training.best),
  }
  return renderPage({
    title,
    subtitle,
    sections: [
      { kind: 'headline', entries: headlineEntries(evaluations) },
      ...(await forecastPictures(content)),
      { kind: 'pair', sections: learning ? [learning, steps] : [steps] },
      scoreTable(evaluations),
      { kind: 'groups', title: 'Configuration', groups: configuration },
    ],
  })
}

/** One picture over the whole page, or several side by side with what holds for all of them said once. */
async function forecastPictures({ evaluations, pictures }: ReportContent): Promise<Section[]> {
  const { forecastChart } = await import('./charts.ts')
  const [{ forecasts }] = evaluations
  const isOne = evaluations.length === 1
  const { cells } = labelsOf(evaluations)
  const how =
    `Each stretch is forecast at once, ${forecasts.horizon} steps from its beginning, by a model that has not seen it` +
    (pictures.some(({ future }) => future) ? '; the last one lies beyond the end of the data.' : '.')
  const sections = await Promise.all(
    pictures.map(async ({ labels, future }, i): Promise<Section> => {
      const evaluation = evaluations[i]
      const name = isOne ? 'Forecast against truth on the held-out part' : cells(evaluation).join(', ')
      const size = isOne ? 'full' : 'half'
      const held = `Held out: ${spanOf(evaluation, labels)}.`
      return {
        kind: 'picture',
        svg: await forecastChart(evaluation, { labels, title: name, future, size }),
        caption: isOne ? `${held} ${how}` : held,
      }
    }),
  )
  if (isOne) return sections
  const left = evaluations.length - pictures.length
  const rest =
    left > 0 ? ` Drawn are the first ${pictures.length} of ${evaluations.length}; the table has all.` : ''
  return [
    { kind: 'text', title: 'Forecasts against truth on the held-out part', paragraphs: [how + rest] },
    { kind: 'pair', sections },
  ]
}

function spanOf({ forecasts: { origins, horizon } }: Evaluation, labels: readonly string[]): string {
  return `${labels[origins[0]]} to ${labels[origins.at(-1)! + horizon - 1]}`
}

function learningCaption(best?: number): string {
  return best
    ? `The parameters kept are those after epoch ${best}.`
    : 'The parameters kept are the last ones.'
}
